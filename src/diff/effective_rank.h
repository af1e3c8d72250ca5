// The effective rank (finedelta/diff.h) of what a matrix gained.
#ifndef FINEDELTA_DIFF_EFFECTIVE_RANK_H_
#define FINEDELTA_DIFF_EFFECTIVE_RANK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "diff/tensor_pairs.h"
#include "engine/resources.h"

namespace finedelta {

// Rows that both tensors have of two matrices of type F16, BF16 or F32.
struct DeltaMatrix {
  const DiffPair* pair = nullptr;
  uint64_t rows = 0;
  uint64_t columns = 0;
  float scale = 1;  // differences are multiplied by it, so that squares don't vanish
  const Cancellation* cancel = nullptr;  // may be null
};

// Up to so many rows or columns the rank is computed, from there on estimated.
inline constexpr uint64_t kLargestExactSide = 1024;

// Both take elements that are not finite, or differ by more than 1e15, for unchanged. None where
// all are.

// Through the products of all rows, or columns, with each other: to about 4 digits. Time: 2 * rows
// * columns * side floating-point operations, where `side` is the smaller one. Memory: 12 * side^2
// bytes and 3 MiB.
Result<std::optional<double>> exact_rank(const DeltaMatrix& matrix);

// By Hutch++ (R. A. Meyer, C. Musco, C. Musco, D. P. Woodruff: Hutch++: Optimal stochastic trace
// estimation, SOSA 2021) for the sum of s^4, always with the same random signs. Of 80 matrices with
// sides of 1100 to 2000 (Gaussian; flat, power-law and exponential spectra; low rank, with noise or
// without; few rows) it was 2.5 % off at the most, the root of the mean square was under 1.4 % for
// each kind, and under 0.01 % where few directions hold most.
//
// Time: 384 * rows * columns floating-point operations in two passes. Memory: 800 * columns bytes
// and 10 MiB.
Result<std::optional<double>> estimated_rank(const DeltaMatrix& matrix);

// Whether they are compared matrices of such a type.
[[nodiscard]] bool is_ranked(const DiffPair& pair);

// Adds the ranks of those of these matrices that changed; all of them count for `progress`.
Status add_effective_ranks(DiffPairs& pairs, const Options& options, ProgressMeter& progress);

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_EFFECTIVE_RANK_H_
