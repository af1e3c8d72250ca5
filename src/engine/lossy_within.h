// Lossy tensors that keep to an error.
#ifndef FINEDELTA_ENGINE_LOSSY_WITHIN_H_
#define FINEDELTA_ENGINE_LOSSY_WITHIN_H_

#include "engine/lossy_fits.h"
#include "engine/low_rank_search.h"
#include "finedelta/result.h"

namespace finedelta {

// Little with which the relative error of a lossy tensor's delta, rounded to its type, is at most
// `error`; none where that was not found. Reads the tensor once for each try.
Result<std::optional<LossyTensor>> lossy_within(const LossyFits& fits, size_t tensor,
                                                const LowRankQuestion& question, double error);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_WITHIN_H_
