#include "base/bit_stream.h"

#include <algorithm>

namespace finedelta {

namespace {

constexpr size_t kPadding = 16;  // zeros behind the data of a reader

}  // namespace

void BitWriter::append(const std::byte* bits, size_t count) {
  BitSink to = sink(count);
  // Whole words, which don't change how many bits are pending: the highest ones of each are the
  // next ones that are.
  for (; count >= 64; count -= 64, bits += 8, to.next += 8) {
    const auto word = load<uint64_t>(bits);
    store(to.next, to.pending | word << to.filled);
    to.pending = word >> 1 >> (63 - to.filled);
  }
  for (; count > 0; bits += 4) {
    const auto size = static_cast<unsigned>(std::min<size_t>(count, 32));
    to.put(load<uint32_t>(bits) & ((uint64_t{1} << size) - 1), size);
    count -= size;
  }
  give_back(to);
}

Bytes BitWriter::finish() {
  store(sink(64).next, pending_);
  return Bytes(bytes_).first(size_ + (filled_ + 7) / 8);
}

BitReader::BitReader(Bytes data, std::vector<std::byte>& buffer, size_t more) {
  const size_t room = data.size() + more + kPadding;
  if (buffer.size() < room) buffer.resize(room);
  data_ = buffer.data();
  append(data);
}

void BitReader::append(Bytes data) {
  const bool failed = !ok();
  std::byte* const behind = std::ranges::copy(data, data_ + end_ / 8).out;
  std::fill_n(behind, kPadding, std::byte{0});
  end_ += data.size() * 8;
  if (failed) at_ = end_ + 1;
}

void BitReader::take_all(std::byte* bits, size_t count) {
  if (at_ + count > end_) {
    std::fill_n(bits, (count + 63) / 64 * 8, std::byte{0});
    at_ = end_ + 1;
    return;
  }
  const std::byte* from = data_ + at_ / 8;
  const unsigned shift = at_ % 8;
  at_ += count;
  // The ninth byte has the bits that the shift makes room for; none where it is 0.
  const auto word = [&] {
    const auto ninth = std::to_integer<uint64_t>(from[8]);
    return load<uint64_t>(from) >> shift | ninth << 1 << (63 - shift);
  };
  for (; count >= 64; count -= 64, bits += 8, from += 8) store(bits, word());
  if (count > 0) store(bits, word() & ((uint64_t{1} << count) - 1));
}

bool BitReader::at_end(size_t fill) {
  if (!ok() || end_ - at_ >= fill) return false;
  uint64_t ones = 0;
  while (at_ < end_) ones |= take(static_cast<unsigned>(std::min<size_t>(end_ - at_, 32)));
  return ones == 0;
}

}  // namespace finedelta
