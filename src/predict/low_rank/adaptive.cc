#include "predict/low_rank/adaptive.h"

#include "base/adaptive_values.h"
#include "base/range_coder.h"

namespace finedelta {

namespace {

constexpr uint16_t kShiftStays = AdaptiveBit::kOne / 16 * 13;  // how likely, at first

void encode_shifts(RangeEncoder& bits, const std::vector<uint8_t>& shifts) {
  AdaptiveBit more(kShiftStays);
  unsigned last = 0;
  for (const uint8_t shift : shifts) {
    for (; last < shift; ++last) bits.bit(more, true);
    bits.bit(more, false);
  }
}

bool decode_shifts(RangeDecoder& bits, std::vector<uint8_t>& shifts) {
  AdaptiveBit more(kShiftStays);
  unsigned last = 0;
  for (uint8_t& shift : shifts) {
    while (bits.bit(more, false)) {
      if (++last > kLargestShift) return false;
    }
    shift = static_cast<uint8_t>(last);
  }
  return true;
}

}  // namespace

std::vector<std::byte> encode_adaptive(const Factors& factors) {
  RangeEncoder bits;
  encode_shifts(bits, factors.shifts);
  encode_values(bits, factors.left, factors.rows, 0);
  encode_values(bits, factors.right, factors.columns, 0);
  return bits.finish();
}

std::string_view decode_adaptive(Bytes bytes, Factors& factors) {
  RangeDecoder bits(bytes);
  if (!decode_shifts(bits, factors.shifts) || !decode_values(bits, factors.left, factors.rows, 0) ||
      !decode_values(bits, factors.right, factors.columns, 0)) {
    return "a value is too large";
  }
  return bits.at_end() ? "" : "bytes behind the end";
}

}  // namespace finedelta
