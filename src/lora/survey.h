// What of a fine-tune an adapter can hold, and how: from names, types and shapes, and for tensors
// that can't have factors from whether they differ.
#ifndef FINEDELTA_LORA_SURVEY_H_
#define FINEDELTA_LORA_SURVEY_H_

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "engine/matrix_reader.h"
#include "engine/pack_plan.h"
#include "finedelta/lora.h"
#include "finedelta/result.h"
#include "lora/adapter.h"

namespace finedelta::peft {

// A tensor of the fine-tune and the base's of that name.
struct TensorPair {
  const Shard* shard = nullptr;
  const safetensors::Tensor* tensor = nullptr;
  const Shard* base_shard = nullptr;
  const safetensors::Tensor* base = nullptr;  // null: the base has none
  // What the model calls it: "MODULE.LEAF".
  std::string module;
  std::string leaf;
  size_t place = 0;          // among all tensors of the fine-tune
  bool is_repeated = false;  // a tensor before it has that name

  // Both must be there, of one shape, and castable.
  [[nodiscard]] MatrixReader reader() const;
  [[nodiscard]] uint64_t bytes() const { return tensor->end - tensor->begin; }
};

// A tensor that an adapter does not hold, and why; or that it holds whole, and why.
struct Exception {
  TensorPair pair;
  std::string reason;
};

// The reason of a tensor whose name is in several shards.
inline constexpr std::string_view kRepeated = "another shard has a tensor of that name";
// The reason of a tensor of another shape than the base's.
inline constexpr std::string_view kResized = "its shape is not the base's";

struct Survey {
  Adapter adapter;
  std::vector<TensorPair> matrices;  // of the adapter's modules
  Ranks least;                       // of each: 1 where the module's bias is stored
  std::vector<Exception> whole;      // the adapter's whole tensors
  std::vector<Exception> left_out;
};

// `inputs` has one base and must outlive the result. Tensors are paired by their names, or by what
// is left of those when a prefix is added or dropped that many names of one of the models have.
Result<Survey> survey(const Inputs& inputs, const ModelFacts& facts, const Options& options);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_SURVEY_H_
