// What PEFT calls things: https://github.com/huggingface/peft, src/peft/tuners/lora and
// src/peft/utils.
#ifndef FINEDELTA_LORA_PEFT_NAMES_H_
#define FINEDELTA_LORA_PEFT_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lora/model_facts.h"

namespace finedelta::peft {

// How a module applies its weight, of R rows and C columns. PEFT goes by the module's class, which
// no checkpoint says; names have to do.
enum class ModuleKind : uint8_t {
  kLinear,      // from C inputs to R outputs
  kTransposed,  // transformers' Conv1D, as in GPT-2: from R inputs to C outputs
  kEmbedding,   // R tokens of C numbers
};
[[nodiscard]] ModuleKind kind_of(std::string_view module, const ModelFacts& facts);

// Whether it is an output layer: some models give it the input embedding's weight.
[[nodiscard]] bool is_output_layer(std::string_view module);

// Whether a model ties them: a causal language model that has no output layer of its own does,
// whether or not its configuration says so.
[[nodiscard]] bool ties_output(const ModelFacts& facts, bool has_output_layer);

// The output layer that is tied to this module; empty: none.
[[nodiscard]] std::string tied_to(std::string_view module, bool is_tied);

// Names of tensors in adapter_model.safetensors. A holds `rank` rows, one for each input, B a row
// for each output.
[[nodiscard]] std::string name_of_a(std::string_view module, ModuleKind kind);
[[nodiscard]] std::string name_of_b(std::string_view module, ModuleKind kind);
// Of a module that is stored whole, and of the bias of one that has an adapter.
[[nodiscard]] std::string name_of_saved(std::string_view module, std::string_view leaf);
[[nodiscard]] std::string name_of_bias(std::string_view module);

// The regular expression for rank_pattern and alpha_pattern that this module alone matches. PEFT
// matches "(.*\.)?(PATTERN)$" from the start of a module's name.
[[nodiscard]] std::string pattern_of(std::string_view module);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_PEFT_NAMES_H_
