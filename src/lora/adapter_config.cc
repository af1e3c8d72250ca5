#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "lora/adapter.h"

namespace finedelta::peft {

namespace {

using OrderedJson = nlohmann::ordered_json;

// PEFT's word for: no module at all, only such as are stored whole.
constexpr std::string_view kNoModules = "dummy-target-modules";

// The lower one of two that are as frequent.
size_t most_frequent(const std::map<std::string, size_t>& ranks) {
  std::map<size_t, size_t> counts;
  for (const auto& [name, rank] : ranks) ++counts[rank];
  if (counts.empty()) return 1;
  const auto count = [](const auto& entry) { return entry.second; };
  return std::ranges::max_element(counts, {}, count)->first;
}

OrderedJson text_or_null(std::string_view text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

}  // namespace

std::string adapter_config(const Adapter& adapter, const Ranks& ranks, const BaseModel& base) {
  std::map<std::string, size_t> targets;
  bool is_transposed = false;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const AdapterModule& module = adapter.modules[i];
    if (ranks[i] == 0) continue;
    targets.emplace(module.name, ranks[i]);
    if (!module.tied.empty()) targets.emplace(module.tied, ranks[i]);
    is_transposed |= module.kind == ModuleKind::kTransposed;
  }
  const size_t rank = most_frequent(targets);
  OrderedJson patterns = OrderedJson::object();
  OrderedJson names = OrderedJson::array();
  for (const auto& [name, own] : targets) {
    names.push_back(name);
    if (own != rank) patterns[pattern_of(name)] = own;
  }
  OrderedJson saved = adapter.saved_modules;
  const OrderedJson json{
      {"peft_type", "LORA"},
      {"task_type", base.facts.is_causal_lm ? OrderedJson("CAUSAL_LM") : OrderedJson(nullptr)},
      {"base_model_name_or_path", text_or_null(base.name)},
      {"revision", text_or_null(base.revision)},
      {"inference_mode", true},
      {"r", rank},
      {"lora_alpha", rank},
      {"rank_pattern", patterns},
      {"alpha_pattern", patterns},
      {"target_modules", targets.empty() ? OrderedJson(kNoModules) : names},
      {"modules_to_save", saved.empty() ? OrderedJson(nullptr) : saved},
      {"bias", adapter.has_biases ? "all" : "none"},
      {"fan_in_fan_out", is_transposed},
      {"init_lora_weights", true},
      {"lora_dropout", 0.0},
      {"use_dora", false},
      {"use_rslora", false}};
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace finedelta::peft
