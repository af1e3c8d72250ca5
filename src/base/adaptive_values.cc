#include "base/adaptive_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <type_traits>
#include <vector>

namespace finedelta {

namespace {

// Magnitudes are expected in 4096ths; classes of them are half octaves, the first from 1/64 on.
constexpr unsigned kPoint = 12;
constexpr uint32_t kLeastExpected = 64;
constexpr unsigned kClasses = 42;
constexpr unsigned kTabled = 16;  // classes of values whose low bits are not set apart
constexpr unsigned kBins = 12;
constexpr uint32_t kLargestMagnitude = kLargestAdaptiveValue;

// How likely a magnitude that is 0, 1, 2 at least is just that, for classes of normal values whose
// spread is known to half an octave. A model begins so, and learns.
constexpr uint16_t kFirst[kTabled][3] = {
    {64318, 65024, 65024}, {63814, 65024, 65024}, {63101, 65024, 65024}, {62092, 65024, 65024},
    {60666, 65024, 65024}, {58652, 65024, 65024}, {55821, 65024, 65024}, {51891, 64902, 65024},
    {46591, 63684, 65024}, {39850, 60917, 63439}, {32141, 55665, 58860}, {24576, 47578, 51284},
    {18138, 37747, 42060}, {13118, 28171, 32280}, {9384, 20243, 23313},  {6674, 14277, 16217}};

class Model {
 public:
  Model() {
    for (unsigned c = 0; c < kClasses; ++c) {
      const auto& first = kFirst[c < kTabled ? c : kTabled - 2 + c % 2];
      for (unsigned b = 0; b < kBins; ++b) {
        bins_[c][b] = AdaptiveBit(first[std::min<size_t>(b, std::size(first) - 1)]);
      }
    }
  }

  // One magnitude that was expected to be so large. Over kLargestMagnitude: no code.
  template <class Bits>
  uint32_t code(Bits& bits, uint32_t expected, uint32_t magnitude) {
    const uint32_t within = std::clamp(expected, kLeastExpected, kLargestMagnitude << kPoint);
    const auto width = static_cast<unsigned>(std::bit_width(within));
    const unsigned octave = width - static_cast<unsigned>(std::bit_width(kLeastExpected));
    const unsigned number = 2 * octave + (within >> (width - 2) & 1);
    // Of larger values the low bits are as good as random.
    const unsigned low = octave < kTabled / 2 ? 0 : octave + 1 - kTabled / 2;
    const uint32_t high = unary(bits, bins_[number], magnitude >> low);
    if (high > kLargestMagnitude >> low) return kLargestMagnitude + 1;
    return high << low | bits.raw(magnitude & ((1u << low) - 1), low);
  }

 private:
  using Bins = std::array<AdaptiveBit, kBins>;

  template <class Bits>
  static uint32_t unary(Bits& bits, Bins& bins, uint32_t value) {
    uint32_t count = 0;
    while (count < kBins && bits.bit(bins[count], value > count)) ++count;
    return count < kBins ? count : kBins + exponential(bits, value - kBins);
  }

  // Exponential Golomb code of order 0.
  template <class Bits>
  static uint32_t exponential(Bits& bits, uint32_t value) {
    const auto digits = static_cast<unsigned>(std::bit_width(value + 1)) - 1;
    unsigned count = 0;
    while (count < 15 && bits.raw(digits > count ? 1 : 0, 1) != 0) ++count;
    return (1u << count | bits.raw((value + 1) & ((1u << count) - 1), count)) - 1;
  }

  std::array<Bins, kClasses> bins_;
};

// The mean magnitude of the line so far, of late mostly, in 4096ths: where the line before ended,
// at first.
class LineMean {
 public:
  void begin() { seen_ = seen_ == 0 ? 1 : kRemembered; }
  [[nodiscard]] uint32_t value() const { return mean_; }
  void add(uint32_t magnitude) {
    const auto shift = static_cast<unsigned>(std::bit_width(seen_)) - 1;
    const auto change = static_cast<int32_t>(magnitude << kPoint) - static_cast<int32_t>(mean_);
    // Towards zero: a shift rounds down, so that what is negative needs all but one added.
    const int32_t up = (change >> 31) & ((1 << shift) - 1);
    mean_ = static_cast<uint32_t>(static_cast<int32_t>(mean_) + ((change + up) >> shift));
    if (seen_ < kLongest) ++seen_;
  }

 private:
  static constexpr uint32_t kRemembered = 8;
  static constexpr uint32_t kLongest = 64;

  uint32_t mean_ = 1u << kPoint;
  uint32_t seen_ = 0;
};

// How large the values of each place have been, against the means of their lines, in 256ths.
class PlaceRatios {
 public:
  explicit PlaceRatios(size_t length) : ratios_(length, kOne) {}

  [[nodiscard]] uint32_t expected(size_t place, uint32_t mean) const {
    return static_cast<uint32_t>(uint64_t{mean} * (ratios_[place] + kOne / 4) / (kOne + kOne / 4));
  }
  void add(size_t place, uint32_t mean, uint32_t magnitude) {
    int32_t within = 0;
    if (magnitude != 0) {  // a division that most values do without
      const uint64_t ratio = (uint64_t{magnitude} << (kPoint + 8)) / std::max(mean, kOne);
      within = static_cast<int32_t>(std::min<uint64_t>(ratio, uint64_t{16} * kOne));
    }
    ratios_[place] = static_cast<uint16_t>(ratios_[place] + (within - ratios_[place]) / 16);
  }

 private:
  static constexpr uint32_t kOne = 256;
  std::vector<uint16_t> ratios_;
};

// Both ways: of an encoder's constant values, or of those that a decoder fills. False for what is
// no code.
template <class Bits, class Value>
bool code_values(Bits& bits, std::span<Value> values, size_t length, size_t first) {
  Model model;
  LineMean mean;
  PlaceRatios ratios(length);
  size_t place = first;
  mean.begin();
  for (Value& value : values) {
    if (place == length) {
      place = 0;
      mean.begin();
    }
    const uint32_t line = mean.value();
    const uint32_t magnitude =
        model.code(bits, ratios.expected(place, line), static_cast<uint32_t>(std::abs(int{value})));
    if (magnitude > kLargestMagnitude) return false;
    const bool negative = magnitude > 0 && bits.raw(value < 0 ? 1 : 0, 1) != 0;
    if constexpr (!std::is_const_v<Value>) {
      const auto absolute = static_cast<int>(magnitude);
      value = static_cast<int16_t>(negative ? -absolute : absolute);
    }
    mean.add(magnitude);
    ratios.add(place++, line, magnitude);
  }
  return true;
}

}  // namespace

void encode_values(RangeEncoder& bits, std::span<const int16_t> values, size_t length,
                   size_t first) {
  code_values(bits, values, length, first);
}

bool decode_values(RangeDecoder& bits, std::span<int16_t> values, size_t length, size_t first) {
  return code_values(bits, values, length, first);
}

}  // namespace finedelta
