// What a model's config.json says that an adapter depends on.
#ifndef FINEDELTA_LORA_MODEL_FACTS_H_
#define FINEDELTA_LORA_MODEL_FACTS_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace finedelta::peft {

inline constexpr std::string_view kModelConfig = "config.json";
inline constexpr uint64_t kLargestModelConfig = uint64_t{1} << 20;

struct ModelFacts {
  bool is_causal_lm = false;                 // so says a name in "architectures"
  std::optional<bool> ties_word_embeddings;  // not always said
  bool has_conv1d = false;  // linear layers whose weights are transposed, as GPT-2's are
};

// Nothing of what is not there; text that is no JSON object says nothing.
[[nodiscard]] ModelFacts read_model_facts(std::string_view config);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_MODEL_FACTS_H_
