// What rounding the fine-tune's values to their type leaves.
#ifndef FINEDELTA_PREDICT_LOW_RANK_ROUNDING_H_
#define FINEDELTA_PREDICT_LOW_RANK_ROUNDING_H_

#include <array>

#include "finedelta/result.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// The variance of rounding to `dtype` (F16, BF16 or F32) by the exponent field of the value as an
// F32.
[[nodiscard]] std::array<double, 256> rounding_variances(DType dtype);

// The sum of these variances over all elements of the fine-tune. An error is one of the reads'.
Result<double> rounding_energy(const MatrixPair& pair);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_ROUNDING_H_
