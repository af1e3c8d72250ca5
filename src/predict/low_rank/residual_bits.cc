#include "predict/low_rank/residual_bits.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace finedelta {

namespace {

constexpr double kBitsPerToken = 6;
constexpr uint32_t kExact = 16;  // smaller magnitudes are tokens of their own
// Of differences of so many bits and a sign: two for each bit from that of kExact on.
constexpr size_t token_count(size_t bits) { return 2 * (kExact + 2 * (bits + 1 - 4)); }
constexpr size_t kContexts = 256;

template <typename Bits>
int64_t ordered(Bits value) {
  constexpr Bits kMagnitude = static_cast<Bits>(~Bits{0}) >> 1;
  const auto magnitude = static_cast<int64_t>(value & kMagnitude);
  return value > kMagnitude ? -magnitude - 1 : magnitude;
}

struct Token {
  uint32_t number;
  uint32_t low_bits;
};

// Up to kExact the magnitude; then its length and the bit below the highest. Even for one sign, odd
// for the other.
Token token_of(int64_t difference) {
  const uint64_t magnitude = static_cast<uint64_t>(difference < 0 ? -difference : difference);
  const uint32_t sign = difference < 0 ? 1 : 0;
  if (magnitude < kExact) return {.number = 2 * static_cast<uint32_t>(magnitude) + sign};
  const auto highest = static_cast<uint32_t>(std::bit_width(magnitude)) - 1;
  const auto next = static_cast<uint32_t>(magnitude >> (highest - 1)) & 1;
  return {.number = 2 * (kExact + 2 * (highest - 4) + next) + sign, .low_bits = highest - 1};
}

template <size_t kTokens>
class Histogram {
 public:
  void add(size_t context, Token token) {
    ++counts_[context * kTokens + token.number];
    ++totals_[context];
    low_bits_ += token.low_bits;
  }

  [[nodiscard]] double bits(double scale) const {
    double sum = static_cast<double>(low_bits_);
    size_t cells = 0;
    for (size_t context = 0; context < kContexts; ++context) {
      if (totals_[context] == 0) continue;  // most of them
      sum += totals_[context] * std::log2(totals_[context]);
      const auto* counts = counts_.data() + context * kTokens;
      for (size_t i = 0; i < kTokens; ++i) {
        if (counts[i] == 0) continue;
        ++cells;
        sum -= counts[i] * std::log2(counts[i]);
      }
    }
    return sum * scale + kBitsPerToken * static_cast<double>(cells);
  }

 private:
  std::vector<uint32_t> counts_ = std::vector<uint32_t>(kContexts * kTokens);
  std::array<uint32_t, kContexts> totals_{};
  uint64_t low_bits_ = 0;
};

template <typename Bits>
double bits_of(unsigned mantissa, Bytes value, Bytes prediction, uint64_t total) {
  constexpr unsigned kSignBit = 8 * sizeof(Bits) - 1;
  const size_t count = value.size() / sizeof(Bits);
  Histogram<token_count(8 * sizeof(Bits))> histogram;
  for (size_t i = 0; i < count; ++i) {
    const auto predicted = load<Bits>(prediction.data() + i * sizeof(Bits));
    const int64_t difference =
        ordered(load<Bits>(value.data() + i * sizeof(Bits))) - ordered(predicted);
    const bool negative = predicted >> kSignBit != 0;
    const size_t exponent = (predicted & ((Bits{1} << kSignBit) - 1)) >> mantissa;
    histogram.add(exponent, token_of(negative ? -difference : difference));
  }
  return histogram.bits(static_cast<double>(total) / static_cast<double>(count));
}

}  // namespace

double residual_bits(DType dtype, Bytes value, Bytes prediction, uint64_t total) {
  if (value.empty()) return 0;
  if (dtype == DType::kF32) return bits_of<uint32_t>(23, value, prediction, total);
  return bits_of<uint16_t>(dtype == DType::kF16 ? 10 : 7, value, prediction, total);
}

}  // namespace finedelta
