// How the floats of two arrays differ: in which bits, by how many numbers in between, and as
// vectors. Counts are exact; sums are the same bits on every target.
#ifndef FINEDELTA_KERNELS_COMPARE_H_
#define FINEDELTA_KERNELS_COMPARE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "numeric/dtype.h"

namespace finedelta {

// Element i goes to sum i % kCompareLanes, in order of i: the lanes of a vector, or of several.
inline constexpr size_t kCompareLanes = 8;
using LaneSums = std::array<double, kCompareLanes>;

// Sums over elements that are finite in both arrays.
struct CompareSums {
  LaneSums base{};     // squares of the base's numbers
  LaneSums fine{};     // and of the fine-tune's
  LaneSums delta{};    // and of their differences
  LaneSums product{};  // base times fine-tune
  LaneSums largest{};  // not a sum: the largest magnitude of a difference
};

struct SpecialCounts {
  uint64_t nans = 0;
  uint64_t infinities = 0;
};

struct FloatComparison {
  // [b]: elements that differ in bit b, the lowest one first.
  std::array<uint64_t, 64> bits{};
  // [k]: elements whose difference as in kernels/residual.h is 2^k or more, whatever its sign. So
  // [0] counts those that differ at all.
  std::array<uint64_t, 64> apart{};
  SpecialCounts base;
  SpecialCounts fine;
  CompareSums sums;
};

// True for F16, BF16, F32 and F64.
[[nodiscard]] bool is_comparable_float(DType type);

// The most elements of one call: counters of 16 bits take no more.
inline constexpr size_t kMostCompared = size_t{1} << 20;

// Adds what `count` elements are to `to`; needs is_comparable_float(type). Pointers may be
// unaligned.
void compare_floats(DType type, const std::byte* base, const std::byte* fine, size_t count,
                    FloatComparison& to);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_COMPARE_H_
