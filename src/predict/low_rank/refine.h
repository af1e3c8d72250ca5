// Directions that fit better where the fine-tune's own rounding is finer.
#ifndef FINEDELTA_PREDICT_LOW_RANK_REFINE_H_
#define FINEDELTA_PREDICT_LOW_RANK_REFINE_H_

#include <cstddef>
#include <cstdint>

#include "finedelta/result.h"
#include "predict/low_rank/fit.h"

namespace finedelta {

inline constexpr size_t kLargestRefinedRank = 32;

// An adapter that was merged is off by the rounding of the merged weights and by nothing else, and
// small weights are rounded finely. So each element is given a weight of one over its variance,
// that of its rounding and what else there is to it. Improves the first `rank` of the directions
// (no more than kLargestRefinedRank), reading the matrices `passes` times.
//
// Time, with R = rank * (rank + 1) / 2: passes * 4 * elements * R floating-point operations.
// Memory: refine_bytes.
Result<SingularDirections> refine(const MatrixPair& pair, const SingularDirections& directions,
                                  size_t rank, int passes);

// The most memory that takes, with the directions found before. Mostly 4 * R * columns.
[[nodiscard]] uint64_t refine_bytes(uint64_t rows, uint64_t columns, size_t found, size_t rank);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_REFINE_H_
