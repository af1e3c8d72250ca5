#include "predict/low_rank/rice.h"

#include <algorithm>

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

class CodeReader {
 public:
  explicit CodeReader(ByteReader& in) : in_(in) {}

  // After the reader failed all bits are zero.
  uint32_t bit() {
    if (left_ == 0) {
      byte_ = in_.u8();
      left_ = 8;
    }
    const uint32_t bit = byte_ & 1;
    byte_ >>= 1;
    --left_;
    return bit;
  }
  uint32_t bits(unsigned count) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i) value |= bit() << i;
    return value;
  }
  void finish() {
    if (byte_ != 0) in_.reject("a set bit behind the last value");
  }

 private:
  ByteReader& in_;
  uint32_t byte_ = 0;
  unsigned left_ = 0;
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
  CodeReader reader(in);
  for (int16_t& value : values) {
    uint32_t quotient = 0;
    while (in.ok() && reader.bit() == 0) {
      if (++quotient > kLargestFolded >> parameter) in.reject("a value is too large");
    }
    if (!in.ok()) return;
    const uint32_t folded = quotient << parameter | reader.bits(parameter);
    if (folded > kLargestFolded) in.reject("a value is too large");
    value = unfold(folded);
  }
  reader.finish();
}

}  // namespace finedelta
