// What is known of two tensors after some of their chunks.
#ifndef FINEDELTA_DIFF_TENSOR_TALLY_H_
#define FINEDELTA_DIFF_TENSOR_TALLY_H_

#include <cstdint>

#include "base/bytes.h"
#include "finedelta/diff.h"
#include "kernels/compare.h"
#include "numeric/dtype.h"

namespace finedelta {

// Sums over elements that are finite in both tensors.
struct NormSums {
  double base = 0;  // squares
  double fine = 0;
  double delta = 0;
  double product = 0;

  void add(const NormSums& other);
  [[nodiscard]] Norms norms() const;
};

// What two chunks say, or those of a tensor so far. Sums depend on the order in which tallies are
// added, nothing else.
struct TensorTally {
  uint64_t changed = 0;
  // Of floats of 16, 32 and 64 bits; sums of lanes are in `sums`.
  FloatComparison floats;
  NormSums sums;
  double largest = 0;

  // As many elements of `dtype` in both, at most kMostCompared.
  static TensorTally of(DType dtype, Bytes base, Bytes fine);
  void add(const TensorTally& other);
  // Of `elements` floats of 16, 32 or 64 bits.
  [[nodiscard]] FloatDiff report(DType dtype, uint64_t elements) const;
};

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_TENSOR_TALLY_H_
