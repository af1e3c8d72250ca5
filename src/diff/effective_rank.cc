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

std::optional<DeltaMatrix> matrix_of(const PairedDiff& paired, const Options& options) {
  const TensorDiff& diff = paired.diff;
  if (!is_ranked(paired) || !(diff.floats->largest_delta > 0)) return std::nullopt;
  return DeltaMatrix{.pair = &paired.pair,
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

bool is_ranked(const PairedDiff& paired) {
  return paired.pair.compared && paired.diff.shape.size() == 2 && is_castable(paired.pair.dtype());
}

Status add_effective_ranks(std::vector<PairedDiff>& pairs, const Options& options,
                           ProgressMeter& progress) {
  uint64_t most = 1;
  for (const PairedDiff& paired : pairs) {
    if (const auto matrix = matrix_of(paired, options))
      most = std::max(most, worker_bytes(*matrix));
  }
  const unsigned threads = affordable_workers(options, most, 0);
  return parallel_for(pairs.size(), threads, options.cancel, [&](uint64_t i, unsigned) -> Status {
    if (is_ranked(pairs[i])) progress.add(pairs[i].pair.bytes);
    const auto matrix = matrix_of(pairs[i], options);
    if (!matrix) return {};
    const bool estimated = is_estimated(*matrix);
    FINEDELTA_ASSIGN(const auto rank, estimated ? estimated_rank(*matrix) : exact_rank(*matrix));
    if (rank) pairs[i].diff.rank = EffectiveRank{.value = *rank, .estimated = estimated};
    return {};
  });
}

}  // namespace finedelta
