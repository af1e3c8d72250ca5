// Tensors that are multiples of a base tensor or sums of two: the predictor is found, and every
// byte comes back.

#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"
#include "support/float_types.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

TestTensor as(DType dtype, const TestTensor& f32) { return multiple(1, f32, dtype); }

class RoundtripPredictor : public Roundtrip {
 protected:
  ArchiveSummary roundtrip_one(const std::vector<TestTensor>& bases, const TestTensor& tensor) {
    std::vector<std::string> paths;
    for (const TestTensor& base : bases) {
      paths.push_back(write_shard("base" + std::to_string(paths.size()) + ".safetensors", {base}));
    }
    return roundtrip(paths, write_shard("tuned.safetensors", {tensor}));
  }

  const TestTensor one_ = make_tensor("w", DType::kF32, {200, 64}, 1);
  const TestTensor other_ = make_tensor("w", DType::kF32, {200, 64}, 2);
};

TEST_F(RoundtripPredictor, AMultipleOfItsBase) {
  for (const DType from : kCastableTypes) {
    for (const DType to : kCastableTypes) {
      SCOPED_TRACE(std::string(dtype_name(from)) + " to " + std::string(dtype_name(to)));
      const TestTensor base = as(from, one_);
      const auto summary = roundtrip_one({base}, multiple(0.7f, base, to));
      EXPECT_THAT(predictors(summary), ElementsAre("scaled"));
      EXPECT_THAT(summary.tensors[0].factors, ElementsAre(0.7f));
      EXPECT_EQ(summary.tensors[0].match, from == to ? "same" : "cast");
      EXPECT_EQ(summary.payload_bytes, 0u);
    }
  }
}

TEST_F(RoundtripPredictor, AMultipleOfABaseWithOtherRows) {
  for (const DType to : kCastableTypes) {
    const TestTensor scaled = multiple(1.3f, one_, to);
    const auto grown = roundtrip_one({first_rows(one_, 180)}, scaled);
    const auto shrunk = roundtrip_one({one_}, first_rows(scaled, 180));
    EXPECT_THAT(predictors(grown), ElementsAre("scaled"));
    EXPECT_THAT(predictors(shrunk), ElementsAre("scaled"));
    EXPECT_EQ(grown.tensors[0].match, to == DType::kF32 ? "resized" : "resized+cast");
  }
}

TEST_F(RoundtripPredictor, ThePlainBaseWhereNoFactorHelps) {
  const auto summary = roundtrip_one({one_}, tuned(one_));
  EXPECT_THAT(predictors(summary), ElementsAre("base"));
  EXPECT_THAT(predictors(roundtrip_one({one_}, one_)), ElementsAre("base"));
  // Out of range, and not a number that would help.
  EXPECT_THAT(predictors(roundtrip_one({one_}, multiple(-1, one_, DType::kF32))),
              ElementsAre("base"));
}

// Most rows are only smaller; the others, trained hard, would lead least squares astray.
TEST_F(RoundtripPredictor, ATableOfWhichFewRowsWereTrained) {
  std::vector<float> values = floats_of(multiple(0.95f, one_, DType::kF32));
  const std::vector<float> trained = floats_of(other_);
  for (size_t row = 0; row < 200; row += 10) {
    for (size_t i = 64 * row; i < 64 * (row + 1); ++i) values[i] = 20 * trained[i];
  }
  const auto summary = roundtrip_one({one_}, of_floats("w", DType::kF32, {200, 64}, values));
  EXPECT_THAT(predictors(summary), ElementsAre("scaled"));
  EXPECT_THAT(summary.tensors[0].factors, ElementsAre(0.95f));
}

TEST_F(RoundtripPredictor, SpecialNumbersAreKept) {
  for (const DType from : kCastableTypes) {
    for (const DType to : kCastableTypes) {
      SCOPED_TRACE(std::string(dtype_name(from)) + " to " + std::string(dtype_name(to)));
      const TestTensor base = with_specials(as(from, one_), 5);
      EXPECT_THAT(predictors(roundtrip_one({base}, multiple(0.7f, base, to))),
                  ElementsAre("scaled"));
      const TestTensor parent = with_specials(as(from, other_), 5);
      EXPECT_THAT(predictors(roundtrip_one({base, parent}, sum(0.3f, base, 0.7f, parent, to))),
                  ElementsAre("combination"));
    }
  }
}

TEST_F(RoundtripPredictor, ASumOfTwoBases) {
  for (const DType from : kCastableTypes) {
    for (const DType to : kCastableTypes) {
      SCOPED_TRACE(std::string(dtype_name(from)) + " to " + std::string(dtype_name(to)));
      const TestTensor parent = as(from, other_);
      const auto summary = roundtrip_one({one_, parent}, sum(0.3f, one_, 0.7f, parent, to));
      EXPECT_THAT(predictors(summary), ElementsAre("combination"));
      EXPECT_THAT(summary.tensors[0].factors, ElementsAre(0.3f, 0.7f));
      EXPECT_EQ(summary.payload_bytes, 0u);
      EXPECT_EQ(summary.tensors[0].base_tensor, "w");
      EXPECT_EQ(summary.tensors[0].second_base_tensor, "w");
      EXPECT_THAT(std::vector({summary.tensors[0].base, summary.tensors[0].second_base}),
                  ElementsAre(0, 1));
    }
  }
}

TEST_F(RoundtripPredictor, UnusualWeights) {
  const auto exact = roundtrip_one({one_, other_}, sum(1.5f, one_, -0.5f, other_, DType::kBF16));
  EXPECT_THAT(exact.tensors[0].factors, ElementsAre(1.5f, -0.5f));
  const TestTensor odd = sum(0.41421f, one_, 0.123f, other_, DType::kBF16);
  const auto close = roundtrip_one({one_, other_}, odd);
  EXPECT_THAT(predictors(close), ElementsAre("combination"));
  EXPECT_LT(close.payload_bytes, close.weight_bytes / 8);
}

TEST_F(RoundtripPredictor, TwoOfThreeParents) {
  const TestTensor third = make_tensor("w", DType::kF32, {200, 64}, 3);
  const auto summary =
      roundtrip_one({one_, third, other_}, sum(0.5f, one_, 0.5f, other_, DType::kF32));
  EXPECT_EQ(summary.bases.size(), 2u);
  EXPECT_EQ(summary.payload_bytes, 0u);
}

TEST_F(RoundtripPredictor, NoSumOfOtherShapes) {
  const auto summary = roundtrip_one({one_, first_rows(other_, 190)},
                                     first_rows(sum(0.5f, one_, 0.5f, other_, DType::kF32), 190));
  EXPECT_NE(summary.tensors[0].predictor, "combination");
}

TEST_F(RoundtripPredictor, SmallTensorsOfAMerge) {
  const TestTensor a = make_tensor("norm", DType::kBF16, {100}, 1);
  const TestTensor b = make_tensor("norm", DType::kBF16, {100}, 2);
  const auto summary = roundtrip_one({a, b}, sum(0.5f, a, 0.5f, b, DType::kBF16));
  EXPECT_EQ(summary.payload_bytes, 0u);
}

class RoundtripMerge : public Roundtrip {
 protected:
  RoundtripMerge() {
    const auto summary = pack_to_archive(
        {write_shard("a.safetensors", {a_}), write_shard("b.safetensors", {b_})}, merge_);
    EXPECT_EQ(predictors(summary), std::vector<std::string>{"combination"});
    EXPECT_EQ(summary.bases.size(), 2u);
  }

  // Larger than a chunk and than the sample.
  const TestTensor a_ = make_tensor("w", DType::kBF16, {3000, 200}, 1);
  const TestTensor b_ = make_tensor("w", DType::kBF16, {3000, 200}, 2);
  const std::string merge_ =
      write_shard("merge.safetensors", {tuned(sum(0.6f, a_, 0.4f, b_, DType::kBF16))});
};

TEST_F(RoundtripMerge, BasesInAnyOrder) {
  expect_unpacks({dir_.path("a.safetensors"), dir_.path("b.safetensors")}, merge_);
  expect_unpacks({dir_.path("b.safetensors"), dir_.path("a.safetensors")}, merge_);
}

TEST_F(RoundtripMerge, EitherWrongBaseIsNamed) {
  const std::string a = dir_.path("a.safetensors");
  const std::string b = dir_.path("b.safetensors");
  const std::string differs =
      "wrong base: tensor 'w' differs from the one that the archive was made from ";
  for (const size_t place : {size_t{0}, a_.bytes.size() / 2}) {
    const std::string message =
        differs + (place == 0 ? "(another revision, or damaged)" : "(another revision?)");
    TestTensor wrong = a_;
    wrong.bytes[place] ^= 0x10;
    expect_wrong_base({write_shard("wrong.safetensors", {wrong}), b}, message);
    wrong = b_;
    wrong.bytes[place] ^= 0x10;
    expect_wrong_base({a, write_shard("wrong.safetensors", {wrong})}, message);
  }
  expect_wrong_base({a}, differs + "(another revision?)");
}

TEST_F(RoundtripMerge, RowsAreExtracted) {
  const std::string output = dir_.path("rows.safetensors");
  const auto report = extract({dir_.path("a.safetensors"), dir_.path("b.safetensors")}, archive_,
                              {"w[2900:2910]"}, output);
  ASSERT_EQ(error_text(report), "no error");
  const std::string whole = read_file(merge_);
  const std::string tail = read_file(output).substr(read_file(output).size() - 4000);
  EXPECT_TRUE(tail == whole.substr(whole.size() - 400 * 100, 4000));
  // Of both bases, one chunk.
  EXPECT_EQ(report->base_bytes_read, 2 * 2 * (600000 - 2 * (uint64_t{1} << 18)));
}

TEST_F(RoundtripMerge, PlanSaysSo) {
  const auto planned =
      plan({dir_.path("a.safetensors"), dir_.path("b.safetensors")}, merge_, PlanOptions());
  ASSERT_EQ(error_text(planned), "no error");
  EXPECT_EQ(planned->tensors[0].predictor, "combination");
  EXPECT_EQ(planned->tensors[0].second_base_tensor, "w");
  EXPECT_EQ(planned->tensors[0].second_base, 1u);
}

}  // namespace
}  // namespace finedelta
