// Signed integers of a few bits or less each, written by the adaptive range coder: the values of a
// matrix whose rows and columns differ in how large theirs are. Predictor low_rank's spec.md has
// the model ("A value", "What is expected").
#ifndef FINEDELTA_BASE_ADAPTIVE_VALUES_H_
#define FINEDELTA_BASE_ADAPTIVE_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/range_coder.h"

namespace finedelta {

inline constexpr int32_t kLargestAdaptiveValue = 32767;

// A value costs at least 1/180 of a bit: no stream holds more of them for each of its bytes.
inline constexpr size_t kMostAdaptiveValues = 2048;

// Consecutive values of lines of `length` each, the first of them at place `first` < `length` of
// its line. A value is expected to be as large as those before it in its line, and as large against
// its line as those of its place were against theirs. Magnitudes are kLargestAdaptiveValue at most.
void encode_values(RangeEncoder& bits, std::span<const int16_t> values, size_t length,
                   size_t first);

// False for bits that encode_values does not write; `values` then holds anything.
bool decode_values(RangeDecoder& bits, std::span<int16_t> values, size_t length, size_t first);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_ADAPTIVE_VALUES_H_
