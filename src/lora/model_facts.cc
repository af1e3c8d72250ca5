#include "lora/model_facts.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace finedelta::peft {

namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 4> kWithConv1D = {"gpt2", "openai-gpt", "imagegpt",
                                                         "decision_transformer"};

bool is_causal_lm(std::string_view architecture) {
  return architecture.ends_with("ForCausalLM") || architecture.ends_with("LMHeadModel");
}

}  // namespace

ModelFacts read_model_facts(std::string_view config) {
  ModelFacts facts;
  const Json json = Json::parse(config, nullptr, false);
  if (!json.is_object()) return facts;
  const auto member = [&json](const char* name) { return json.value(name, Json()); };
  if (const Json names = member("architectures"); names.is_array()) {
    facts.is_causal_lm = std::ranges::any_of(names, [](const Json& name) {
      return name.is_string() && is_causal_lm(name.get_ref<const std::string&>());
    });
  }
  if (const Json ties = member("tie_word_embeddings"); ties.is_boolean()) {
    facts.ties_word_embeddings = ties.get<bool>();
  }
  const Json type = member("model_type");
  facts.has_conv1d = type.is_string() &&
                     std::ranges::find(kWithConv1D, type.get<std::string>()) != kWithConv1D.end();
  return facts;
}

}  // namespace finedelta::peft
