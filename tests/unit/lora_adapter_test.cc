#include <gtest/gtest.h>

#include "lora/adapter.h"
#include "safetensors/header.h"

namespace finedelta::peft {
namespace {

Adapter sample() {
  return {
      .modules = {{.name = "model.q", .dtype = DType::kBF16, .rows = 6, .columns = 4, .tied = {}},
                  {.name = "model.embed_tokens",
                   .kind = ModuleKind::kEmbedding,
                   .dtype = DType::kBF16,
                   .rows = 10,
                   .columns = 4,
                   .tied = "lm_head"},
                  {.name = "h.c_fc",
                   .kind = ModuleKind::kTransposed,
                   .dtype = DType::kF32,
                   .rows = 4,
                   .columns = 8,
                   .tied = {}},
                  {.name = "model.k", .dtype = DType::kBF16, .rows = 6, .columns = 4, .tied = {}}},
      .whole = {{.name = "base_model.model.norm.weight", .dtype = DType::kBF16, .shape = {4}}},
      .saved_modules = {"norm"}};
}

TEST(LoraAdapter, TheLayoutIsThatOfAFile) {
  const Adapter adapter = sample();
  const AdapterLayout layout = lay_out(adapter, {1, 2, 3, 0});
  const uint64_t data = layout.size - safetensors::kLengthSize - layout.header.size();
  const auto header = safetensors::parse_header(layout.header, data, "adapter");
  ASSERT_TRUE(header.has_value());
  struct Expected {
    std::string name;
    std::vector<uint64_t> shape;
    uint64_t offset;
  };
  const std::string prefix = "base_model.model.";
  const std::vector<Expected> expected = {
      {prefix + "h.c_fc.lora_A.weight", {3, 4}, layout.a[2]},
      {prefix + "h.c_fc.lora_B.weight", {8, 3}, layout.b[2]},
      {prefix + "lm_head.lora_A.weight", {2, 4}, layout.tied_a[1]},
      {prefix + "lm_head.lora_B.weight", {10, 2}, layout.tied_b[1]},
      {prefix + "model.embed_tokens.lora_embedding_A", {2, 10}, layout.a[1]},
      {prefix + "model.embed_tokens.lora_embedding_B", {4, 2}, layout.b[1]},
      {prefix + "model.q.lora_A.weight", {1, 4}, layout.a[0]},
      {prefix + "model.q.lora_B.weight", {6, 1}, layout.b[0]},
      {prefix + "norm.weight", {4}, layout.whole[0]},
  };
  ASSERT_EQ(header->tensors.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const safetensors::Tensor& tensor = header->tensors[i];
    EXPECT_EQ(tensor.name, expected[i].name);
    EXPECT_EQ(tensor.shape, expected[i].shape) << tensor.name;
    EXPECT_EQ(header->data_offset() + tensor.begin, expected[i].offset) << tensor.name;
  }
}

TEST(LoraAdapter, TheConfiguration) {
  const BaseModel base{.name = "org/base", .revision = {}, .facts = {.is_causal_lm = true}};
  EXPECT_EQ(adapter_config(sample(), {2, 2, 3, 0}, base), R"({
  "peft_type": "LORA",
  "task_type": "CAUSAL_LM",
  "base_model_name_or_path": "org/base",
  "revision": null,
  "inference_mode": true,
  "r": 2,
  "lora_alpha": 2,
  "rank_pattern": {
    "^h\\.c_fc": 3
  },
  "alpha_pattern": {
    "^h\\.c_fc": 3
  },
  "target_modules": [
    "h.c_fc",
    "lm_head",
    "model.embed_tokens",
    "model.q"
  ],
  "modules_to_save": [
    "norm"
  ],
  "bias": "none",
  "fan_in_fan_out": true,
  "init_lora_weights": true,
  "lora_dropout": 0.0,
  "use_dora": false,
  "use_rslora": false
}
)");
}

TEST(LoraAdapter, AConfigurationWithoutFactors) {
  Adapter adapter = sample();
  adapter.has_biases = true;
  const std::string text = adapter_config(adapter, {0, 0, 0, 0}, {});
  EXPECT_TRUE(text.contains(R"("target_modules": "dummy-target-modules")")) << text;
  EXPECT_TRUE(text.contains(R"("base_model_name_or_path": null)")) << text;
  EXPECT_TRUE(text.contains(R"("task_type": null)")) << text;
  EXPECT_TRUE(text.contains(R"("rank_pattern": {})")) << text;
  EXPECT_TRUE(text.contains(R"("bias": "all")")) << text;
}

TEST(LoraAdapter, ARevision) {
  const BaseModel base{.name = "org/base", .revision = "v1\xFF", .facts = {}};
  const std::string text = adapter_config(sample(), {1, 1, 1, 1}, base);
  EXPECT_TRUE(text.contains("\"revision\": \"v1\xEF\xBF\xBD\"")) << text;
}

}  // namespace
}  // namespace finedelta::peft
