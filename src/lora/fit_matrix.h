// The directions of one matrix that are worth thinking of.
#ifndef FINEDELTA_LORA_FIT_MATRIX_H_
#define FINEDELTA_LORA_FIT_MATRIX_H_

#include <cstddef>
#include <cstdint>

#include "finedelta/result.h"
#include "predict/low_rank/fit.h"

namespace finedelta::peft {

struct MatrixFit {
  SingularDirections directions;
  // Behind the directions there is nothing but what rounding the fine-tune's values leaves.
  bool is_exact = false;
  // What keeping all directions keeps of their squares, at most 1: those of an exact fit do not aim
  // at the rounding.
  double share = 1;
};

// The leading directions, at most `rank` (at least 1). Where an adapter was merged, only those that
// stand out of the rounding of the merged values, fitted again by weights:
// predict/low_rank/refine.h. The same bits on one machine. An error is one of the reads'.
Result<MatrixFit> fit_matrix(const MatrixPair& pair, size_t rank);

// The most memory that takes.
[[nodiscard]] uint64_t fit_bytes(uint64_t rows, uint64_t columns, size_t rank);

// The largest rank to try: more would take too much memory, whatever the memory limit, so that an
// adapter does not depend on that.
[[nodiscard]] size_t largest_rank(uint64_t rows, uint64_t columns);

// How many of the falling singular values stand out of noise of this energy, if what is behind them
// is no more than noise; 0 where none do or there is more.
[[nodiscard]] size_t rank_above_noise(const SingularDirections& directions, uint64_t rows,
                                      uint64_t columns, double noise);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_FIT_MATRIX_H_
