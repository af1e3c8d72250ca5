#include "predict/low_rank/rice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace finedelta {

namespace {

constexpr unsigned kLargestParameter = 15;
constexpr uint32_t kLargestFolded = 2 * 32767;

// 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ...
uint32_t fold(int16_t value) {
  return value < 0 ? static_cast<uint32_t>(-2 * value - 1) : static_cast<uint32_t>(2 * value);
}

int16_t unfold(uint32_t folded) {
  const auto half = static_cast<int>(folded >> 1);
  return static_cast<int16_t>((folded & 1) != 0 ? -half - 1 : half);
}

uint64_t code_length(std::span<const int16_t> values, unsigned parameter) {
  uint64_t bits = 0;
  for (const int16_t value : values) bits += (fold(value) >> parameter) + 1 + parameter;
  return bits;
}

unsigned best_parameter(std::span<const int16_t> values) {
  unsigned best = 0;
  uint64_t least = code_length(values, 0);
  for (unsigned parameter = 1; parameter <= kLargestParameter; ++parameter) {
    const uint64_t bits = code_length(values, parameter);
    if (bits < least) {
      least = bits;
      best = parameter;
    }
  }
  return best;
}

class CodeWriter {
 public:
  explicit CodeWriter(ByteWriter& out) : out_(out) {}

  void put(uint32_t bits, unsigned count) {  // at most 16 bits
    pending_ |= bits << filled_;
    filled_ += count;
    for (; filled_ >= 8; filled_ -= 8, pending_ >>= 8) out_.u8(static_cast<uint8_t>(pending_));
  }
  void zeros(uint32_t count) {
    for (; count > 16; count -= 16) put(0, 16);
    put(0, count);
  }
  void finish() { put(0, (8 - filled_) % 8); }

 private:
  ByteWriter& out_;
  uint32_t pending_ = 0;
  unsigned filled_ = 0;
};

// Bits of bytes that nobody vouches for, the lowest of a byte first; zeros behind them.
class CodeReader {
 public:
  explicit CodeReader(Bytes data) : data_(data) {}

  // The next value, folded; nothing where it is over the largest.
  std::optional<uint32_t> next(unsigned parameter) {
    constexpr unsigned kAtOnce = 40;  // with parameter and one, no more than `peek` gives
    uint64_t bits = peek();
    uint64_t quotient = 0;
    while ((bits & ((uint64_t{1} << kAtOnce) - 1)) == 0) {
      quotient += kAtOnce;
      at_ += kAtOnce;
      if (quotient > kLargestFolded >> parameter) return std::nullopt;
      bits = peek();
    }
    const auto zeros = static_cast<unsigned>(std::countr_zero(bits));
    at_ += zeros + 1 + parameter;
    const uint64_t low = bits >> (zeros + 1) & ((uint64_t{1} << parameter) - 1);
    const uint64_t folded = (quotient + zeros) << parameter | low;
    if (folded > kLargestFolded) return std::nullopt;
    return static_cast<uint32_t>(folded);
  }

  // Bytes that were begun; more than there are where too much was taken.
  [[nodiscard]] size_t taken() const { return (at_ + 7) / 8; }
  // What the last of them still holds.
  [[nodiscard]] uint64_t rest() const { return peek() & ((1u << (8 * taken() - at_)) - 1); }

 private:
  // At least 57 bits.
  [[nodiscard]] uint64_t peek() const {
    const size_t byte = std::min(at_ / 8, data_.size());
    if (data_.size() - byte >= 8) return load<uint64_t>(data_.data() + byte) >> at_ % 8;
    std::array<std::byte, 8> last{};
    std::ranges::copy(data_.subspan(byte), last.begin());
    return load<uint64_t>(last.data()) >> at_ % 8;
  }

  const Bytes data_;
  size_t at_ = 0;  // in bits
};

}  // namespace

void encode_rice(std::span<const int16_t> values, ByteWriter& out) {
  const unsigned parameter = best_parameter(values);
  out.u8(static_cast<uint8_t>(parameter));
  CodeWriter writer(out);
  for (const int16_t value : values) {
    const uint32_t folded = fold(value);
    writer.zeros(folded >> parameter);
    writer.put(1, 1);
    writer.put(folded & ((1u << parameter) - 1), parameter);
  }
  writer.finish();
}

void decode_rice(ByteReader& in, std::span<int16_t> values) {
  const unsigned parameter = in.u8();
  if (parameter > kLargestParameter) in.reject("a parameter is too large");
  if (!in.ok()) return;
  ByteReader copy = in;
  CodeReader reader(copy.bytes(copy.remaining()));
  for (int16_t& value : values) {
    const auto folded = reader.next(parameter);
    if (!folded) {
      in.bytes(reader.taken());  // zeros behind the end are no value
      return in.reject("a value is too large");
    }
    value = unfold(*folded);
  }
  in.bytes(reader.taken());
  if (reader.rest() != 0) in.reject("a set bit behind the last value");
}

}  // namespace finedelta
