#include "lora/peft_names.h"

#include <algorithm>
#include <array>

namespace finedelta::peft {

namespace {

constexpr std::string_view kPrefix = "base_model.model.";

// Embeddings whose names do not say so; and what does but is none.
constexpr std::array<std::string_view, 4> kEmbeddings = {"wte", "wpe", "shared",
                                                         "relative_attention_bias"};
constexpr std::array<std::string_view, 3> kNoEmbeddings = {"embed_out", "proj", "projection"};

constexpr std::array<std::string_view, 4> kConv1D = {"c_attn", "c_proj", "c_fc", "q_attn"};
constexpr std::string_view kTiedOutputLayer = "lm_head";
constexpr std::array<std::string_view, 4> kInputEmbeddings = {"embed_tokens", "wte", "embed_in",
                                                              "word_embeddings"};
constexpr std::array<std::string_view, 2> kOutputLayers = {kTiedOutputLayer, "embed_out"};

std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

bool is_embedding(std::string_view part) {
  if (std::ranges::find(kEmbeddings, part) != kEmbeddings.end()) return true;
  return part.contains("embed") && std::ranges::none_of(kNoEmbeddings, [&](std::string_view end) {
           return part.ends_with(end);
         });
}

std::string name_of(std::string_view module, std::string_view part) {
  return std::string(kPrefix).append(module).append(part);
}

}  // namespace

ModuleKind kind_of(std::string_view module, const ModelFacts& facts) {
  const std::string_view part = last_part(module);
  if (is_embedding(part)) return ModuleKind::kEmbedding;
  const bool is_conv1d = facts.has_conv1d && std::ranges::find(kConv1D, part) != kConv1D.end();
  return is_conv1d ? ModuleKind::kTransposed : ModuleKind::kLinear;
}

bool is_output_layer(std::string_view module) {
  return std::ranges::find(kOutputLayers, last_part(module)) != kOutputLayers.end();
}

bool ties_output(const ModelFacts& facts, bool has_output_layer) {
  return facts.is_causal_lm && facts.ties_word_embeddings.value_or(!has_output_layer);
}

std::string tied_to(std::string_view module, bool is_tied) {
  const bool is_input =
      std::ranges::find(kInputEmbeddings, last_part(module)) != kInputEmbeddings.end();
  return std::string(is_tied && is_input ? kTiedOutputLayer : "");
}

std::string name_of_a(std::string_view module, ModuleKind kind) {
  return name_of(module, kind == ModuleKind::kEmbedding ? ".lora_embedding_A" : ".lora_A.weight");
}

std::string name_of_b(std::string_view module, ModuleKind kind) {
  return name_of(module, kind == ModuleKind::kEmbedding ? ".lora_embedding_B" : ".lora_B.weight");
}

std::string name_of_saved(std::string_view module, std::string_view leaf) {
  return name_of(module, ".").append(leaf);
}

std::string name_of_bias(std::string_view module) { return name_of(module, ".base_layer.bias"); }

std::string pattern_of(std::string_view module) {
  static constexpr std::string_view kSpecial = R"(.^$*+?{}[]\|())";
  std::string pattern = "^";
  for (const char c : module) {
    if (kSpecial.contains(c)) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace finedelta::peft
