// The search for low-rank predictions while a fine-tune is packed.
#ifndef FINEDELTA_ENGINE_LOW_RANK_SEARCH_H_
#define FINEDELTA_ENGINE_LOW_RANK_SEARCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "finedelta/result.h"
#include "match/sampler.h"
#include "predict/low_rank/find.h"
#include "predict/low_rank/predictor.h"

namespace finedelta {

// A tensor, the prediction it has, and the base tensor of that.
struct LowRankQuestion {
  TensorSource tensor;
  std::vector<uint64_t> shape;
  TensorSource base;
  std::vector<uint64_t> base_shape;
  Formula formula;  // base or scaled
};

// Factors, as they are stored and ready for use.
struct LowRankAnswer {
  std::vector<std::byte> record;
  LowRankPredictor predictor;
  uint64_t estimated_bytes = 0;  // of the tensor's chunks
};

[[nodiscard]] LowRankQuestion ask_low_rank(const Shard& shard, const safetensors::Tensor& tensor,
                                           const Shard& base_shard, const safetensors::Tensor& base,
                                           const Formula& formula);

// Whether a tensor of this prediction may have a low-rank one instead.
[[nodiscard]] bool may_be_low_rank(const Formula& formula, DType base_dtype,
                                   const safetensors::Tensor& tensor);

// What a fit of rank r takes is (r + 8) times the bytes of the sides, and a block of rows: fit.h. A
// large embedding gets a lower rank than asked for, whatever memory there is, so that archives do
// not depend on it.
[[nodiscard]] size_t affordable_rank(const MatrixShape& matrix, size_t rank);

// The largest rank that a level (1 to 9) tries for every matrix; 0 where it looks for merged
// adapters only.
[[nodiscard]] size_t largest_rank(int level);

// Factors with which the tensor becomes smaller, if there are any. Reads the matrices a few times:
// predict/low_rank/find.h. `sampler` is the caller's, one for each thread.
Result<std::optional<LowRankAnswer>> find_low_rank(const LowRankQuestion& question, int level,
                                                   Sampler& sampler);

// The most memory that takes besides the answer.
inline constexpr uint64_t kLowRankSearchBytes = kMostFindBytes;

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOW_RANK_SEARCH_H_
