// Every way in which a tensor may be matched with its base, and back byte for byte.

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::Pair;

class RoundtripMatch : public Roundtrip {
 protected:
  ArchiveSummary roundtrip_tensors(const std::vector<TestTensor>& base,
                                   const std::vector<TestTensor>& fine_tune) {
    return roundtrip({write_shard("base.safetensors", base)},
                     write_shard("tuned.safetensors", fine_tune));
  }
};

// The first `count` rows of a matrix.
TestTensor rows(const TestTensor& tensor, uint64_t count) {
  TestTensor out = tensor;
  out.bytes.resize(tensor.bytes.size() / tensor.shape[0] * count);
  out.shape[0] = count;
  return out;
}

TEST_F(RoundtripMatch, OtherShardsOnTheTwoSides) {
  std::vector<TestTensor> base;
  for (const char* name : {"a", "b", "c", "d"}) {
    base.push_back(make_tensor(name, DType::kBF16, {32, 32}, base.size()));
  }
  const auto newer = tuned(base);
  (void)write_shard("base/model-00001-of-00002.safetensors", {base[0], base[1]});
  (void)write_shard("base/model-00002-of-00002.safetensors", {base[2], base[3]});
  (void)write_shard("tuned/one.safetensors", {newer[3]});
  (void)write_shard("tuned/three.safetensors", {newer[2], newer[0], newer[1]});
  const auto summary = roundtrip({dir_.path("base")}, dir_.path("tuned"));
  EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "same"), Pair("b", "same"), Pair("c", "same"),
                                            Pair("d", "same")));
}

TEST_F(RoundtripMatch, AddedAndRemovedTensors) {
  const auto kept = make_tensor("kept", DType::kBF16, {32, 32}, 1);
  const auto summary =
      roundtrip_tensors({make_tensor("removed", DType::kBF16, {32, 32}, 2), kept},
                        {make_tensor("added", DType::kBF16, {16, 32}, 3), tuned(kept)});
  EXPECT_THAT(matches(summary), ElementsAre(Pair("added", "none"), Pair("kept", "same")));
  ASSERT_EQ(summary.bases.size(), 1u);
  EXPECT_EQ(summary.bases[0].tensors, 1u);
}

TEST_F(RoundtripMatch, AVocabularyThatGrewOrShrank) {
  const auto large = make_tensor("embed", DType::kBF16, {300, 64}, 1);
  const auto small = tuned(rows(large, 290));
  for (const auto& [base, fine_tune] : {std::pair(small, large), std::pair(large, small)}) {
    const auto summary = roundtrip_tensors({base}, {fine_tune});
    EXPECT_THAT(matches(summary), ElementsAre(Pair("embed", "resized")));
    EXPECT_LT(summary.payload_bytes, fine_tune.bytes.size() / 2);
  }
}

TEST_F(RoundtripMatch, AVocabularyThatGrewByMoreThanAChunk) {
  const auto large = make_tensor("embed", DType::kBF16, {10000, 64}, 1);
  const auto small = tuned(rows(large, 6000));
  EXPECT_THAT(matches(roundtrip_tensors({small}, {large})), ElementsAre(Pair("embed", "resized")));
  EXPECT_THAT(matches(roundtrip_tensors({large}, {small})), ElementsAre(Pair("embed", "resized")));
}

TEST_F(RoundtripMatch, TiedWeightsThatTheFineTuneUntied) {
  const auto embed = make_tensor("embed_tokens", DType::kBF16, {512, 64}, 1);
  const auto equal = roundtrip_tensors({embed}, {embed, renamed(embed, "lm_head")});
  EXPECT_THAT(matches(equal),
              ElementsAre(Pair("embed_tokens", "same"), Pair("lm_head", "tied from embed_tokens")));
  EXPECT_EQ(equal.payload_bytes, 0u);
  const auto close =
      roundtrip_tensors({embed}, {tuned(embed, 1), renamed(tuned(embed, 2), "lm_head")});
  EXPECT_THAT(matches(close),
              ElementsAre(Pair("embed_tokens", "same"), Pair("lm_head", "tied from embed_tokens")));
}

TEST_F(RoundtripMatch, UntiedWeightsThatTheFineTuneTied) {
  const auto embed = make_tensor("embed_tokens", DType::kBF16, {512, 64}, 1);
  const auto head = renamed(embed, "lm_head");
  EXPECT_THAT(matches(roundtrip_tensors({embed, head}, {tuned(embed)})),
              ElementsAre(Pair("embed_tokens", "same")));
  EXPECT_THAT(matches(roundtrip_tensors({head}, {tuned(embed)})),
              ElementsAre(Pair("embed_tokens", "renamed from lm_head")));
}

TEST_F(RoundtripMatch, ALargeTensorOfTheSameShapeThatIsNoRelationIsNotMatched) {
  const auto summary = roundtrip_tensors({make_tensor("one", DType::kBF16, {512, 64}, 1)},
                                         {make_tensor("other", DType::kBF16, {512, 64}, 2)});
  EXPECT_THAT(matches(summary), ElementsAre(Pair("other", "none")));
  EXPECT_TRUE(summary.bases.empty());
}

TEST_F(RoundtripMatch, APrefixOfAllNamesAddedOrDropped) {
  std::vector<TestTensor> plain;
  std::vector<TestTensor> prefixed;
  for (const char* name : {"layers.0.w", "layers.1.w", "norm.w"}) {
    plain.push_back(make_tensor(name, DType::kBF16, {32, 32}, plain.size()));
    prefixed.push_back(renamed(plain.back(), std::string("model.") + name));
  }
  EXPECT_THAT(matches(roundtrip_tensors(plain, tuned(prefixed))),
              ElementsAre(Pair("model.layers.0.w", "renamed from layers.0.w"),
                          Pair("model.layers.1.w", "renamed from layers.1.w"),
                          Pair("model.norm.w", "renamed from norm.w")));
  EXPECT_THAT(matches(roundtrip_tensors(prefixed, tuned(plain))),
              ElementsAre(Pair("layers.0.w", "renamed from model.layers.0.w"),
                          Pair("layers.1.w", "renamed from model.layers.1.w"),
                          Pair("norm.w", "renamed from model.norm.w")));
}

TEST_F(RoundtripMatch, OtherShapesAreCodedAlone) {
  const auto base = make_tensor("w", DType::kBF16, {64, 32}, 1);
  for (const std::vector<uint64_t>& shape :
       {std::vector<uint64_t>{32, 64}, {2048}, {64, 32, 1}, {1, 64, 32}}) {
    TestTensor other = base;
    other.shape = shape;
    EXPECT_THAT(matches(roundtrip_tensors({base}, {other})), ElementsAre(Pair("w", "none")));
  }
  const auto summary = roundtrip_tensors({base}, {make_tensor("w", DType::kBF16, {64, 33}, 1)});
  EXPECT_THAT(matches(summary), ElementsAre(Pair("w", "none")));
}

TEST_F(RoundtripMatch, OtherTypes) {
  const auto f32 = make_tensor("w", DType::kF32, {200, 64}, 1);
  const auto as = [&](DType dtype) {
    return TestTensor{"w", dtype, f32.shape, convert_f32(dtype, f32.bytes)};
  };
  const DType types[] = {DType::kF32, DType::kBF16, DType::kF16};
  for (const DType from : types) {
    for (const DType to : types) {
      if (from == to) continue;
      SCOPED_TRACE(std::string(dtype_name(from)) + " to " + std::string(dtype_name(to)));
      const auto base = as(from);
      const auto fine_tune = tuned(as(to));
      EXPECT_THAT(matches(roundtrip_tensors({base}, {fine_tune})), ElementsAre(Pair("w", "cast")));
      EXPECT_THAT(matches(roundtrip_tensors({rows(base, 190)}, {fine_tune})),
                  ElementsAre(Pair("w", "resized+cast")));
      EXPECT_THAT(matches(roundtrip_tensors({base}, {rows(fine_tune, 190)})),
                  ElementsAre(Pair("w", "resized+cast")));
    }
  }
}

TEST_F(RoundtripMatch, TypesThatAreNotCastAreCodedAlone) {
  const std::string bytes = weights(DType::kBF16, {64, 64}, 1);
  const TestTensor base{"w", DType::kBF16, {64, 64}, bytes};
  const TestTensor fine_tune{"w", DType::kU16, {64, 64}, bytes};
  EXPECT_THAT(matches(roundtrip_tensors({base}, {fine_tune})), ElementsAre(Pair("w", "none")));
}

TEST_F(RoundtripMatch, EveryTypeAsItsBytes) {
  std::vector<TestTensor> base;
  for (uint8_t number = 0; number < kDTypeCount; ++number) {
    const auto dtype = static_cast<DType>(number);
    base.push_back(make_tensor(std::string(dtype_name(dtype)), dtype, {64, 20}, number));
  }
  const auto summary = roundtrip_tensors(base, tuned(base));
  ASSERT_EQ(summary.tensors.size(), kDTypeCount);
  for (const TensorSummary& tensor : summary.tensors) {
    EXPECT_EQ(tensor.match, "same") << tensor.name;
    EXPECT_EQ(tensor.name, tensor.dtype);
    EXPECT_EQ(tensor.elements, 1280u);
  }
}

TEST_F(RoundtripMatch, EveryTypeResized) {
  std::vector<TestTensor> base;
  std::vector<TestTensor> shorter;
  for (uint8_t number = 0; number < kDTypeCount; ++number) {
    const auto dtype = static_cast<DType>(number);
    base.push_back(make_tensor(std::string(dtype_name(dtype)), dtype, {64, 20}, number));
    shorter.push_back(rows(tuned(base.back()), 48));
  }
  for (const TensorSummary& tensor : roundtrip_tensors(base, shorter).tensors) {
    EXPECT_EQ(tensor.match, "resized") << tensor.name;
  }
  for (const TensorSummary& tensor : roundtrip_tensors(shorter, base).tensors) {
    EXPECT_EQ(tensor.match, "resized") << tensor.name;
  }
}

TEST_F(RoundtripMatch, ScalarsAndTensorsOfNoneAndOneElement) {
  const std::vector<TestTensor> tensors = {make_tensor("scalar", DType::kF32, {}, 1),
                                           make_tensor("one", DType::kBF16, {1}, 2),
                                           make_tensor("none", DType::kBF16, {0}, 3),
                                           make_tensor("no rows", DType::kF32, {0, 7}, 4),
                                           make_tensor("no columns", DType::kF32, {7, 0}, 5),
                                           make_tensor("ones", DType::kU8, {1, 1}, 6),
                                           make_tensor("last", DType::kBF16, {64, 64}, 7),
                                           make_tensor("end", DType::kBF16, {0}, 8)};
  const auto summary = roundtrip_tensors(tensors, tuned(tensors));
  // Small ones cost less than the record of a base tensor.
  EXPECT_THAT(matches(summary),
              ElementsAre(Pair("end", "none"), Pair("last", "same"), Pair("no columns", "none"),
                          Pair("no rows", "none"), Pair("none", "none"), Pair("one", "none"),
                          Pair("ones", "none"), Pair("scalar", "none")));
}

TEST_F(RoundtripMatch, ABaseOfNoRows) {
  const auto summary = roundtrip_tensors({make_tensor("w", DType::kBF16, {0, 64}, 1)},
                                         {make_tensor("w", DType::kBF16, {64, 64}, 1)});
  EXPECT_THAT(matches(summary), ElementsAre(Pair("w", "none")));
}

TEST_F(RoundtripMatch, DataThatIsNotAligned) {
  const auto aligned = make_tensor("w", DType::kF32, {64, 16}, 1);
  for (size_t spaces = 0; spaces < 4; ++spaces) {
    const std::string json = R"({"w":{"dtype":"F32","shape":[64,16],"data_offsets":[0,4096]}})";
    const auto fine_tune =
        dir_.write("tuned.safetensors",
                   raw_safetensors(json + std::string(spaces, ' '), tuned(aligned).bytes));
    const auto base = write_shard("base.safetensors", {aligned});
    EXPECT_THAT(matches(roundtrip({base}, fine_tune)), ElementsAre(Pair("w", "same")));
    EXPECT_THAT(matches(roundtrip({fine_tune}, base)), ElementsAre(Pair("w", "same")));
  }
}

TEST_F(RoundtripMatch, OneNameInTwoShards) {
  const auto first = make_tensor("w", DType::kBF16, {64, 64}, 1);
  const auto second = make_tensor("w", DType::kBF16, {64, 64}, 2);
  (void)write_shard("base/a.safetensors", {first});
  (void)write_shard("base/b.safetensors", {second});
  (void)write_shard("tuned/a.safetensors", {tuned(second)});
  (void)write_shard("tuned/b.safetensors", {tuned(first)});
  const auto summary = roundtrip({dir_.path("base")}, dir_.path("tuned"));
  ASSERT_EQ(summary.tensors.size(), 2u);
  EXPECT_EQ(summary.tensors[0].match, "same");
  EXPECT_EQ(summary.tensors[1].match, "same");
  EXPECT_LT(summary.payload_bytes, summary.weight_bytes / 2);
}

TEST_F(RoundtripMatch, SizesAroundAChunk) {
  constexpr uint64_t kChunk = uint64_t{1} << 18;
  std::vector<TestTensor> base;
  for (const DType dtype : {DType::kU8, DType::kBF16, DType::kF32}) {
    for (const uint64_t units : {kChunk - 1, kChunk, kChunk + 1, 2 * kChunk}) {
      const std::string name = std::string(dtype_name(dtype)) + std::to_string(units);
      base.push_back(make_tensor(name, dtype, {units}, units));
    }
  }
  const auto summary = roundtrip_tensors(base, tuned(base));
  for (const TensorSummary& tensor : summary.tensors) {
    EXPECT_EQ(tensor.match, "same");
    uint64_t chunks = 0;
    for (const CoderUse& use : tensor.coders) chunks += use.chunks;
    EXPECT_EQ(chunks, tensor.elements > kChunk ? 2u : 1u) << tensor.name;
  }
}

TEST_F(RoundtripMatch, ATensorLargerThanTheMemory) {
  options_.memory = kLeastMemory;
  const auto base = make_tensor("w", DType::kF32, {17, 1 << 20}, 1);  // 68 MiB
  TestTensor fine_tune = base;
  for (size_t i = 0; i < fine_tune.bytes.size(); i += 4096) fine_tune.bytes[i] ^= 1;
  const auto summary = roundtrip_tensors({base}, {fine_tune});
  EXPECT_THAT(matches(summary), ElementsAre(Pair("w", "same")));
}

}  // namespace
}  // namespace finedelta
