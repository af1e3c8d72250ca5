// The leading singular directions of what a matrix gained over its base.
#ifndef FINEDELTA_PREDICT_LOW_RANK_FIT_H_
#define FINEDELTA_PREDICT_LOW_RANK_FIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "finedelta/result.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// fine - base is about the sum over k of values[k] * left[k] * right[k]^T.
struct SingularDirections {
  std::vector<float> values;  // falling, above zero; as many as were found
  std::vector<float> left;    // rank x rows: orthonormal vectors, one after another
  std::vector<float> right;   // rank x columns
  double energy = 0;          // the sum of the squares of fine - base
  bool complete = true;       // whether no element had to count as unchanged
  uint64_t unchanged = 0;     // elements of fine - base that are 0

  [[nodiscard]] size_t rank() const { return values.size(); }
};

struct FitOptions {
  size_t rank = 32;
  // How often the matrices are read: once less than the exponent that sharpens the spectrum. At
  // least 2.
  int passes = 3;
};

// Elements that are not finite, or differ by more than 1e15, count as unchanged. An error is one of
// the reads'.
//
// Time: passes * 4 * elements * (rank + 8) floating-point operations. Memory, with R = rank + 8,
// rounded up to 16: 4 * R * (columns + 2 * max(rows, columns)) bytes and one block of rows: 10
// bytes for each of 2^20 elements, or of one row if that has more. The same bits on one machine, on
// whichever core.
Result<SingularDirections> fit_low_rank(const MatrixPair& pair, const FitOptions& options);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_FIT_H_
