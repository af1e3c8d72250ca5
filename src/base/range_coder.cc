#include "base/range_coder.h"

namespace finedelta {

void RangeEncoder::shift_out() {
  if (low_ >> 32 != 0) {
    // A carry: it ends at the last byte that is not 255, and there is one, as what was written is
    // less than 1 in all.
    size_t at = bytes_.size();
    do {
      --at;
      bytes_[at] = static_cast<std::byte>(std::to_integer<unsigned>(bytes_[at]) + 1);
    } while (bytes_[at] == std::byte{0});
  }
  bytes_.push_back(static_cast<std::byte>(low_ >> 24));
  low_ = (low_ & 0x00FF'FFFF) << 8;
}

std::vector<std::byte> RangeEncoder::finish() {
  // Of the numbers in the range, one with many zeros at its end. Not 32: many likely bits at the
  // end must not come for nothing, as a reader believes in so many for each byte only.
  const uint64_t last = low_ + range_ - 1;
  for (unsigned zeros = 32; zeros-- > 0;) {
    const uint64_t number = last >> zeros << zeros;
    if (number < low_ || static_cast<uint32_t>(number) == 0) continue;
    low_ = number;
    break;
  }
  for (int i = 0; i < 4; ++i) shift_out();
  while (!bytes_.empty() && bytes_.back() == std::byte{0}) bytes_.pop_back();
  return std::move(bytes_);
}

}  // namespace finedelta
