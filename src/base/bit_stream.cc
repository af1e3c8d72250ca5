#include "base/bit_stream.h"

#include <algorithm>

namespace finedelta {

namespace {

constexpr size_t kPadding = 16;  // zeros behind the data of a reader

}  // namespace

void BitWriter::append(const std::byte* bits, size_t count) {
  make_room(count);
  for (; count >= 32; count -= 32, bits += 4) put(load<uint32_t>(bits), 32);
  if (count > 0) {
    put(load<uint32_t>(bits) & ((uint64_t{1} << count) - 1), static_cast<unsigned>(count));
  }
}

Bytes BitWriter::finish() {
  make_room(64);
  store(bytes_.data() + size_, pending_);
  return Bytes(bytes_).first(size_ + (filled_ + 7) / 8);
}

BitReader::BitReader(Bytes data, std::vector<std::byte>& buffer) : end_(data.size() * 8) {
  if (buffer.size() < data.size() + kPadding) buffer.resize(data.size() + kPadding);
  std::ranges::copy(data, buffer.begin());
  std::fill_n(buffer.begin() + static_cast<ptrdiff_t>(data.size()), kPadding, std::byte{0});
  data_ = buffer.data();
}

void BitReader::take_all(std::byte* bits, size_t count) {
  if (at_ + count > end_) {
    std::fill_n(bits, (count + 63) / 64 * 8, std::byte{0});
    at_ = end_ + 1;
    return;
  }
  for (; count >= 64; count -= 64, bits += 8) {
    const uint64_t low = take(32);
    store(bits, low | take(32) << 32);
  }
  const auto rest = static_cast<unsigned>(count);
  uint64_t last = take(std::min(rest, 32u));
  if (rest > 32) last |= take(rest - 32) << 32;
  if (rest > 0) store(bits, last);
}

bool BitReader::at_end() {
  return ok() && end_ - at_ < 8 && take(static_cast<unsigned>(end_ - at_)) == 0;
}

}  // namespace finedelta
