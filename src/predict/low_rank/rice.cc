#include "predict/low_rank/rice.h"

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

// The next value, folded; nothing where it is over the largest, or ends behind the bits.
std::optional<uint32_t> take_folded(BitReader& in, unsigned parameter) {
  constexpr unsigned kAtOnce = 40;  // with parameter and one, no more than a word has behind a byte
  size_t at = in.at();
  const auto peek = [&] { return load<uint64_t>(in.data() + at / 8) >> at % 8; };
  uint64_t bits = peek();
  uint64_t quotient = 0;
  while ((bits & ((uint64_t{1} << kAtOnce) - 1)) == 0) {
    quotient += kAtOnce;
    at += kAtOnce;
    in.seek(at);
    if (!in.ok() || quotient > kLargestFolded >> parameter) return std::nullopt;
    bits = peek();
  }
  const auto zeros = static_cast<unsigned>(std::countr_zero(bits));
  in.seek(at + zeros + 1 + parameter);
  const uint64_t low = bits >> (zeros + 1) & ((uint64_t{1} << parameter) - 1);
  const uint64_t folded = (quotient + zeros) << parameter | low;
  if (!in.ok() || folded > kLargestFolded) return std::nullopt;
  return static_cast<uint32_t>(folded);
}

}  // namespace

void encode_rice(std::span<const int16_t> values, ByteWriter& out) {
  const unsigned parameter = best_parameter(values);
  out.u8(static_cast<uint8_t>(parameter));
  BitWriter writer;
  BitSink sink = writer.sink(code_length(values, parameter));
  for (const int16_t value : values) {
    const uint32_t folded = fold(value);
    uint32_t zeros = folded >> parameter;
    for (; zeros > 32; zeros -= 32) sink.put(0, 32);
    sink.put(0, zeros);
    sink.put(1 | (folded & ((1u << parameter) - 1)) << 1, 1 + parameter);
  }
  writer.give_back(sink);
  out.bytes(writer.finish());
}

std::string_view decode_rice(BitReader& in, std::span<int16_t> values) {
  constexpr std::string_view kEarly = "it ends too early";
  const auto parameter = static_cast<unsigned>(in.take(8));
  if (!in.ok()) return kEarly;
  if (parameter > kLargestParameter) return "a parameter is too large";
  for (int16_t& value : values) {
    const auto folded = take_folded(in, parameter);
    if (!folded) return in.ok() ? "a value is too large" : kEarly;
    value = unfold(*folded);
  }
  if (in.take((8 - in.at() % 8) % 8) != 0) return "a set bit behind the last value";
  return {};
}

}  // namespace finedelta
