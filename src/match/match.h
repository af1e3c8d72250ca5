// Which base tensors each tensor of the fine-tune is predicted from, and how.
#ifndef FINEDELTA_MATCH_MATCH_H_
#define FINEDELTA_MATCH_MATCH_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "finedelta/options.h"
#include "finedelta/result.h"
#include "predict/predict.h"

namespace finedelta {

// A tensor of one of several checkpoints, by place.
struct TensorRef {
  uint32_t checkpoint = 0;
  uint32_t shard = 0;
  uint32_t tensor = 0;
  bool operator==(const TensorRef&) const = default;
  auto operator<=>(const TensorRef&) const = default;
};

struct Match {
  Prediction<TensorRef> prediction;
  uint64_t estimated_bytes = 0;  // of its chunks, from a sample
};

// One match for each tensor of `fine_tune`: shard by shard, in order of Shard::header.tensors.
//
// Candidates are the base tensors of the same name; where there are none, those whose name differs
// by a prefix that many tensors add or drop ("model."); where there are none either, large tensors
// of the same shape (a tied or renamed tensor). Of all candidates, each as it is and scaled, and of
// sums of two, the prediction is taken with which sampled chunks code smallest, and none at all
// where that saves nothing. Reads a few KiB of each tensor. The result depends on the files alone,
// not on the number of threads.
Result<std::vector<Match>> match_tensors(std::span<const Checkpoint> bases,
                                         const Checkpoint& fine_tune, unsigned threads,
                                         const Cancellation* cancel);

// Reads that tensor; refers to both.
[[nodiscard]] TensorSource tensor_source(const Shard& shard, const safetensors::Tensor& tensor);

// "same", or what was needed, joined by '+': "renamed" or "tied", "resized", "cast". `tied`: the
// base tensor also stands for another tensor of the fine-tune.
[[nodiscard]] std::string describe_match(const safetensors::Tensor& base,
                                         const safetensors::Tensor& fine_tune, bool tied);

}  // namespace finedelta

#endif  // FINEDELTA_MATCH_MATCH_H_
