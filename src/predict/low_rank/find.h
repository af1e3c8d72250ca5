// The low-rank predictor's factors for a matrix, if they pay.
#ifndef FINEDELTA_PREDICT_LOW_RANK_FIND_H_
#define FINEDELTA_PREDICT_LOW_RANK_FIND_H_

#include "finedelta/result.h"
#include "predict/low_rank/quantise.h"

namespace finedelta {

// The most memory that find_factors may take, if fit_low_rank of this rank takes no more: fit.h.
inline constexpr uint64_t kMostFindBytes = uint64_t{40} << 20;

// Fits, chooses, and where an adapter seems to have been merged, fits again with weights (not very
// wide matrices, for which that takes too much memory). `rank` (at least 1) is the largest that is
// tried. Each matrix is read three times, five for an adapter, and once more at a sample of rows.
// Costs: fit.h, refine.h. An error is one of the reads'.
Result<LowRankChoice> find_factors(const MatrixPair& pair, size_t rank);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_FIND_H_
