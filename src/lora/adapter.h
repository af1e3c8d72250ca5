// The files of a PEFT adapter: what is in them, before it is computed.
#ifndef FINEDELTA_LORA_ADAPTER_H_
#define FINEDELTA_LORA_ADAPTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "finedelta/result.h"
#include "lora/model_facts.h"
#include "lora/peft_names.h"
#include "lora/ranks.h"
#include "numeric/dtype.h"

namespace finedelta::peft {

inline constexpr std::string_view kWeightsFile = "adapter_model.safetensors";
inline constexpr std::string_view kConfigFile = "adapter_config.json";

// A module whose weight gains the product of two factors.
struct AdapterModule {
  std::string name;
  ModuleKind kind = ModuleKind::kLinear;
  DType dtype = DType::kF32;  // of both factors: F16, BF16 or F32
  uint64_t rows = 0;          // of its weight
  uint64_t columns = 0;
  // Of an embedding: the layer that is tied to it and gets the same product. Empty: none.
  std::string tied;
};

// A tensor that is stored as the fine-tune has it.
struct WholeTensor {
  std::string name;  // in the adapter
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;
};

struct Adapter {
  std::vector<AdapterModule> modules;
  std::vector<WholeTensor> whole;
  std::vector<std::string> saved_modules;  // for modules_to_save
  bool has_biases = false;                 // among the whole tensors
};

// kDamaged where two tensors of the file would have one name: that of a tensor of the model may be
// made so.
Status check_names(const Adapter& adapter);

// Where everything lies in adapter_model.safetensors with these ranks. A module of rank 0 is left
// out.
struct AdapterLayout {
  std::string header;
  std::vector<uint64_t> a;       // offset in the file of each module's A
  std::vector<uint64_t> b;       // and B
  std::vector<uint64_t> tied_a;  // likewise of the layer that is tied to it
  std::vector<uint64_t> tied_b;
  std::vector<uint64_t> whole;  // of each whole tensor
  uint64_t size = 0;            // of the file
};
[[nodiscard]] AdapterLayout lay_out(const Adapter& adapter, const Ranks& ranks);

// The model that an adapter is for.
struct BaseModel {
  std::string name;      // "org/name" or a path; empty: not known
  std::string revision;  // empty: not known
  ModelFacts facts;
};

// The text of adapter_config.json. The rank that most modules have becomes the default, the others
// are in rank_pattern. Every alpha is its rank, so that nothing is scaled.
[[nodiscard]] std::string adapter_config(const Adapter& adapter, const Ranks& ranks,
                                         const BaseModel& base);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_ADAPTER_H_
