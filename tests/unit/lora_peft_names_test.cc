#include <gtest/gtest.h>

#include <regex>

#include "lora/pairing.h"
#include "lora/peft_names.h"

namespace finedelta::peft {
namespace {

// As PEFT does: re.match(rf"(.*\.)?({pattern})$", module).
bool catches(const std::string& pattern, const std::string& module) {
  return std::regex_match(module, std::regex("(.*\\.)?(" + pattern + ")$"));
}

TEST(LoraPeftNames, APatternCatchesItsOwnModuleAlone) {
  const std::string modules[] = {"layers.1.q",     "layers.11.q", "x.layers.1.q",
                                 "layers.1.qq",    "layersx1.q",  "a+b.c[0]",
                                 "aab.c0",         "q",           "x.a+b.c[0]",
                                 "(a|b)$.^w",      "a",           "lay{2}.w?*",
                                 "model.layers.1", "b\\d",        "b1"};
  for (const std::string& own : modules) {
    for (const std::string& other : modules) {
      EXPECT_EQ(catches(pattern_of(own), other), own == other) << own << " and " << other;
    }
  }
}

TEST(LoraPeftNames, Tensors) {
  EXPECT_EQ(name_of_a("model.q", ModuleKind::kLinear), "base_model.model.model.q.lora_A.weight");
  EXPECT_EQ(name_of_b("h.0.c", ModuleKind::kTransposed), "base_model.model.h.0.c.lora_B.weight");
  EXPECT_EQ(name_of_a("wte", ModuleKind::kEmbedding), "base_model.model.wte.lora_embedding_A");
  EXPECT_EQ(name_of_b("wte", ModuleKind::kEmbedding), "base_model.model.wte.lora_embedding_B");
  EXPECT_EQ(name_of_saved("model.norm", "weight"), "base_model.model.model.norm.weight");
  EXPECT_EQ(name_of_bias("q"), "base_model.model.q.base_layer.bias");
}

TEST(LoraPeftNames, Kinds) {
  const ModelFacts plain;
  for (const char* name : {"model.embed_tokens", "wte", "a.wpe", "shared", "word_embeddings",
                           "b.relative_attention_bias", "gpt_neox.embed_in"}) {
    EXPECT_EQ(kind_of(name, plain), ModuleKind::kEmbedding) << name;
  }
  for (const char* name : {"lm_head", "embed_out", "embed_tokens.proj", "patch_embed_proj", "q",
                           "embeddings.dense", "transformer.h.0.attn.c_attn"}) {
    EXPECT_EQ(kind_of(name, plain), ModuleKind::kLinear) << name;
  }
  const ModelFacts gpt2{.has_conv1d = true};
  EXPECT_EQ(kind_of("transformer.h.0.attn.c_attn", gpt2), ModuleKind::kTransposed);
  EXPECT_EQ(kind_of("lm_head", gpt2), ModuleKind::kLinear);
}

TEST(LoraPeftNames, ATie) {
  const ModelFacts silent{.is_causal_lm = true};
  EXPECT_TRUE(ties_output(silent, false));
  EXPECT_FALSE(ties_output(silent, true));
  EXPECT_FALSE(ties_output({}, false));
  EXPECT_TRUE(ties_output({.is_causal_lm = true, .ties_word_embeddings = true}, true));
  EXPECT_FALSE(ties_output({.is_causal_lm = true, .ties_word_embeddings = false}, false));
  EXPECT_EQ(tied_to("model.embed_tokens", true), "lm_head");
  EXPECT_EQ(tied_to("model.embed_tokens", false), "");
  EXPECT_EQ(tied_to("transformer.wpe", true), "");
}

TEST(LoraPeftNames, PartsOfATensorsName) {
  std::string module;
  std::string leaf;
  name_parts("model.layers.0.q.weight", module, leaf);
  EXPECT_EQ(module, "model.layers.0.q");
  EXPECT_EQ(leaf, "weight");
  name_parts("scale", module, leaf);
  EXPECT_EQ(module, "");
  EXPECT_EQ(leaf, "scale");
  EXPECT_EQ(longer_name("h.0.w", "transformer.h.0.w"), "transformer.h.0.w");
  EXPECT_EQ(longer_name("model.w", "w"), "model.w");
}

TEST(LoraModelFacts, AreReadFromTheConfiguration) {
  const ModelFacts facts = read_model_facts(
      R"({"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": false, "model_type": "x"})");
  EXPECT_TRUE(facts.is_causal_lm);
  EXPECT_EQ(facts.ties_word_embeddings, false);
  EXPECT_FALSE(facts.has_conv1d);
  const ModelFacts gpt2 =
      read_model_facts(R"({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"})");
  EXPECT_TRUE(gpt2.is_causal_lm);
  EXPECT_TRUE(gpt2.has_conv1d);
  EXPECT_FALSE(gpt2.ties_word_embeddings.has_value());
}

TEST(LoraModelFacts, NothingIsSaidByWhatIsNoSuchConfiguration) {
  for (const char* text : {"", "[1]", "{", "nonsense", R"({"architectures": "ForCausalLM"})",
                           R"({"architectures": [7], "model_type": 1, "tie_word_embeddings": 1})",
                           R"({"architectures": ["BertForSequenceClassification"]})"}) {
    const ModelFacts facts = read_model_facts(text);
    EXPECT_FALSE(facts.is_causal_lm || facts.has_conv1d) << text;
    EXPECT_FALSE(facts.ties_word_embeddings.has_value()) << text;
  }
}

}  // namespace
}  // namespace finedelta::peft
