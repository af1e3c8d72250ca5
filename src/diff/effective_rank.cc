#include "diff/effective_rank.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/cast.h"

namespace finedelta {

namespace {

// What brings the largest difference near 1, where that is possible.
float scale_for(double largest) {
  constexpr int kMost = 100;
  return std::ldexp(1.0F, std::clamp(-std::ilogb(largest), -kMost, kMost));
}

// Of matrices that changed.
std::optional<DeltaMatrix> matrix_of(const DiffPair& pair, const TensorDiff& diff,
                                     const Options& options) {
  if (!is_ranked(pair) || !(diff.floats->largest_delta > 0)) return std::nullopt;
  return DeltaMatrix{.pair = &pair,
                     .rows = std::min(diff.shape[0], diff.base_shape[0]),
                     .columns = diff.shape[1],
                     .scale = scale_for(diff.floats->largest_delta),
                     .cancel = options.cancel};
}

bool is_estimated(const DeltaMatrix& matrix) {
  return std::min(matrix.rows, matrix.columns) > kLargestExactSide;
}

uint64_t worker_bytes(const DeltaMatrix& matrix) {
  constexpr uint64_t kBlocks = uint64_t{10} << 20;
  if (is_estimated(matrix)) return 800 * matrix.columns + kBlocks;
  const uint64_t side = std::min(matrix.rows, matrix.columns);
  return 12 * side * side + kBlocks;
}

}  // namespace

bool is_ranked(const DiffPair& pair) {
  return pair.compared && pair.fine.tensor->shape.size() == 2 && is_castable(pair.dtype());
}

Status add_effective_ranks(DiffPairs& pairs, const Options& options, ProgressMeter& progress) {
  uint64_t most = 1;
  for (size_t i = 0; i < pairs.pairs.size(); ++i) {
    const auto matrix = matrix_of(pairs.pairs[i], pairs.diffs[i], options);
    if (matrix) most = std::max(most, worker_bytes(*matrix));
  }
  const auto work = [&](uint64_t i, unsigned) -> Status {
    const DiffPair& pair = pairs.pairs[i];
    if (is_ranked(pair)) progress.add(pair.bytes);
    const auto matrix = matrix_of(pair, pairs.diffs[i], options);
    if (!matrix) return {};
    const bool estimated = is_estimated(*matrix);
    FINEDELTA_ASSIGN(const auto rank, estimated ? estimated_rank(*matrix) : exact_rank(*matrix));
    if (rank) pairs.diffs[i].rank = EffectiveRank{.value = *rank, .estimated = estimated};
    return {};
  };
  return parallel_for(pairs.pairs.size(), affordable_workers(options, most, 0), options.cancel,
                      work);
}

}  // namespace finedelta
