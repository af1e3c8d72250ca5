#include "pair.h"

#include <gtest/gtest.h>

#include <cmath>

#include "numeric/float_cast.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "synthetic.h"

namespace finedelta::bench {
namespace {

Pair synthetic(std::string_view text) { return make_synthetic(parse_synthetic(text).value()); }

// The share of the elements (of 2 bytes) that differ.
double changed_share(const Pair& pair) {
  const Bytes base = pair.base.data, value = pair.fine_tune.data;
  size_t changed = 0;
  for (size_t i = 0; i < base.size(); i += 2) {
    changed += load<uint16_t>(&base[i]) != load<uint16_t>(&value[i]) ? 1 : 0;
  }
  return static_cast<double>(2 * changed) / static_cast<double>(base.size());
}

// The deviation of the base's values, or of what the fine-tune (fp32) adds to them.
double deviation(const Pair& pair, bool of_steps) {
  double sum = 0;
  for (size_t i = 0; i < pair.base.data.size(); i += 4) {
    const double base = load<float>(&pair.base.data[i]);
    const double value = of_steps ? load<float>(&pair.fine_tune.data[i]) - base : base;
    sum += value * value;
  }
  return std::sqrt(4 * sum / static_cast<double>(pair.base.data.size()));
}

TEST(Synthetic, TheSameDescriptionGivesTheSamePair) {
  const Pair first = synthetic("bf16:n=10K,seed=7"), second = synthetic("bf16:n=10K,seed=7");
  EXPECT_EQ(first.base.data, second.base.data);
  EXPECT_EQ(first.fine_tune.data, second.fine_tune.data);
  EXPECT_NE(first.base.data, synthetic("bf16:n=10K,seed=8").base.data);
  EXPECT_EQ(first.base.data.size(), 20'480u);
}

TEST(Synthetic, BaseAndStepHaveTheirDeviations) {
  const Pair pair = synthetic("fp32:n=64K,step=1e-3,rows=256,cols=64");
  EXPECT_EQ(pair.base.tensors.size(), 4u);
  EXPECT_NEAR(deviation(pair, false), 0.02, 0.0003);
  EXPECT_NEAR(deviation(pair, true), 1e-3, 0.00002);
}

TEST(Synthetic, ALoraStepHasItsDeviationAndRank) {
  const Pair pair = synthetic("fp32:lora=1,rows=64,cols=512,n=128K");
  EXPECT_NEAR(deviation(pair, true), 1.25e-3, 0.0004);
  // Rank 1: every 2 x 2 minor is 0 but for rounding.
  const auto step = [&](size_t row, size_t col) {
    const size_t at = 4 * (row * 512 + col);
    return double{load<float>(&pair.fine_tune.data[at])} - load<float>(&pair.base.data[at]);
  };
  EXPECT_NEAR(step(0, 0) * step(1, 1), step(0, 1) * step(1, 0), 1e-10);
}

TEST(Synthetic, SparseStepsChangeTheirShare) {
  EXPECT_NEAR(changed_share(synthetic("fp16:n=64K,sparse=0.01,step=0.01")), 0.01, 0.002);
}

TEST(Synthetic, ANewVocabularyIsAPartWithoutPrediction) {
  const Pair pair = synthetic("bf16:vocab=3,rows=8,cols=4,n=64");
  ASSERT_EQ(pair.fine_tune.tensors.size(), 2u);
  EXPECT_EQ(pair.fine_tune.tensors[0].shape, (std::vector<uint64_t>{11, 4}));
  const auto parts = match_parts(pair);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].size, 64u);
  EXPECT_EQ(parts[0].base_begin, 0u);
  EXPECT_EQ(parts[1].size, 24u);
  EXPECT_FALSE(parts[1].base_begin.has_value());
  EXPECT_EQ(parts[2].begin, 88u);
  EXPECT_EQ(parts[2].base_begin, 64u);
}

TEST(Synthetic, AllTensorsAreWholeMatrices) {
  const auto shapes_of = [](std::string_view text) {
    std::vector<std::vector<uint64_t>> shapes;
    for (const auto& tensor : synthetic(text).fine_tune.tensors) shapes.push_back(tensor.shape);
    return shapes;
  };
  using Shapes = std::vector<std::vector<uint64_t>>;
  EXPECT_EQ(shapes_of("bf16:n=100,rows=8,cols=10"), (Shapes{{8, 10}, {2, 10}}));
  EXPECT_EQ(shapes_of("bf16:n=30,rows=8,cols=10"), (Shapes{{3, 10}}));
}

TEST(Synthetic, AStepThatIsGivenStays) {
  EXPECT_EQ(parse_synthetic("bf16:step=1e-3,lora=4").value().step, 1e-3);
  EXPECT_EQ(parse_synthetic("bf16:lora=4").value().step, 1.25e-3);
  EXPECT_EQ(parse_synthetic("bf16").value().step, 1e-4);
}

TEST(Synthetic, RefusesWhatItDoesNotKnow) {
  for (const char* text :
       {"", "f64", "bf16:step", "bf16:step=", "bf16:step=-1", "bf16:n=0", "bf16:rank=3",
        "bf16:n=1,,", "bf16:n=x", "bf16:n=101,cols=10", "bf16:n=9,cols=10"}) {
    EXPECT_TRUE(error_text(parse_synthetic(text)).starts_with("usage: ")) << text;
  }
}

TEST(PairFiles, ComeBackAsTheyWereWritten) {
  const TempDir directory;
  const std::string path = directory.path() + "/pair";
  const Pair pair = synthetic("fp32:n=100,vocab=2,rows=5,cols=10");
  ASSERT_EQ(error_text(write_pair(path, pair)), "no error");
  const Model base = load_model(path + "/base.safetensors").value();
  const Model fine_tune = load_model(path + "/fine-tune.safetensors").value();
  EXPECT_EQ(base.data, pair.base.data);
  EXPECT_EQ(fine_tune.data, pair.fine_tune.data);
  EXPECT_EQ(fine_tune.tensors, pair.fine_tune.tensors);
}

TEST(MatchParts, NeedsTheSameNameTypeAndColumns) {
  const auto model = [](std::string name, DType dtype, std::vector<uint64_t> shape) {
    return Model{{{std::move(name), dtype, std::move(shape), 0, 48}}, std::vector<std::byte>(48)};
  };
  const Model tune = model("a", DType::kBF16, {6, 4});
  EXPECT_TRUE(match_parts({model("a", DType::kBF16, {6, 4}), tune})[0].base_begin.has_value());
  EXPECT_FALSE(match_parts({model("b", DType::kBF16, {6, 4}), tune})[0].base_begin.has_value());
  EXPECT_FALSE(match_parts({model("a", DType::kF16, {6, 4}), tune})[0].base_begin.has_value());
  EXPECT_FALSE(match_parts({model("a", DType::kBF16, {4, 6}), tune})[0].base_begin.has_value());
}

}  // namespace
}  // namespace finedelta::bench
