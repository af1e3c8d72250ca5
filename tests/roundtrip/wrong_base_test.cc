// A base that is not the one the archive was made from is named and refused; one that only looks
// different is taken.

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

// "wrong base" stands first in the message too.
const std::string kDiffers =
    "wrong base: tensor 'a' differs from the one that the archive was made from ";
const std::string kOtherRevision = kDiffers + "(another revision?)";
const std::string kOtherOrDamaged = kDiffers + "(another revision, or damaged)";

class RoundtripWrongBase : public Roundtrip {
 protected:
  RoundtripWrongBase() { (void)pack_to_archive({base_}, fine_tune_); }

  const TestTensor a_ = make_tensor("a", DType::kBF16, {1000, 200}, 1);  // 400,000 bytes
  const TestTensor b_ = make_tensor("b", DType::kBF16, {64, 32}, 2);
  const std::string base_ = write_shard("base.safetensors", {a_, b_});
  const std::string fine_tune_ = write_shard("tuned.safetensors", tuned(std::vector{a_, b_}));
};

TEST_F(RoundtripWrongBase, AnotherRevision) {
  const auto other =
      write_shard("other.safetensors", {make_tensor("a", a_.dtype, a_.shape, 9), b_});
  expect_wrong_base({other}, kOtherRevision);
}

TEST_F(RoundtripWrongBase, OneBitAnywhere) {
  // The sample is the middle 65536 bytes: 167232 to 232768.
  const std::pair<size_t, const std::string*> places[] = {
      {0, &kOtherOrDamaged},     {167231, &kOtherOrDamaged}, {167232, &kOtherRevision},
      {200000, &kOtherRevision}, {232767, &kOtherRevision},  {232768, &kOtherOrDamaged},
      {399999, &kOtherOrDamaged}};
  for (const auto& [place, message] : places) {
    SCOPED_TRACE(place);
    TestTensor flipped = a_;
    flipped.bytes[place] ^= 1;
    expect_wrong_base({write_shard("other.safetensors", {flipped, b_})}, *message);
  }
}

// Exponents that differ put symbols into other contexts: the chunk can't be decoded at all.
TEST_F(RoundtripWrongBase, WithWhichAChunkDoesNotDecode) {
  TestTensor other = a_;
  for (size_t place = 1; place < 100'000; place += 2) other.bytes[place] ^= 1;
  expect_wrong_base({write_shard("other.safetensors", {other, b_})}, kOtherOrDamaged);
}

TEST_F(RoundtripWrongBase, ABitThatNothingDependsOnIsNotMissed) {
  // The fine-tune has fewer rows: the base's last ones are not read.
  TestTensor fewer = tuned(a_);
  fewer.shape[0] = 900;
  fewer.bytes.resize(360000);
  const auto fine_tune = write_shard("fewer.safetensors", {fewer});
  (void)pack_to_archive({base_}, fine_tune);
  TestTensor flipped = a_;
  flipped.bytes.back() ^= 1;
  expect_unpacks({write_shard("other.safetensors", {flipped})}, fine_tune);
}

TEST_F(RoundtripWrongBase, AMissingTensor) {
  expect_wrong_base({write_shard("other.safetensors", {a_})}, "wrong base: tensor 'b' is missing");
}

TEST_F(RoundtripWrongBase, ACastTensor) {
  const TestTensor cast{"b", DType::kF16, b_.shape, b_.bytes};
  expect_wrong_base({write_shard("other.safetensors", {a_, cast})},
                    "wrong base: tensor 'b' is F16 [64, 32] where the archive was made from "
                    "BF16 [64, 32]");
}

TEST_F(RoundtripWrongBase, AnotherShape) {
  TestTensor other = b_;
  other.shape = {32, 64};
  expect_wrong_base({write_shard("other.safetensors", {a_, other})},
                    "wrong base: tensor 'b' is BF16 [32, 64] where the archive was made from "
                    "BF16 [64, 32]");
}

TEST_F(RoundtripWrongBase, TheSameTensorsInOtherFormAreTaken) {
  const auto extra = make_tensor("extra", DType::kF32, {10}, 3);
  // In other order, with others, in a file of another name.
  expect_unpacks({write_shard("other/weights.safetensors", {b_, extra, a_})}, fine_tune_);
  // In two shards of a directory.
  (void)write_shard("shards/y.safetensors", {a_});
  (void)write_shard("shards/x.safetensors", {extra, b_});
  expect_unpacks({dir_.path("shards")}, fine_tune_);
  // Not aligned, with metadata.
  const std::string json = R"({"__metadata__":{"x":"y"},"b":{"dtype":"BF16","shape":[64,32],)"
                           R"("data_offsets":[0,4096]},"a":{"dtype":"BF16","shape":[1000,200],)"
                           R"("data_offsets":[4096,404096]}}   )";
  expect_unpacks({dir_.write("c.safetensors", raw_safetensors(json, b_.bytes + a_.bytes))},
                 fine_tune_);
  // In two bases.
  expect_unpacks({write_shard("b.safetensors", {b_}), write_shard("a.safetensors", {a_})},
                 fine_tune_);
}

TEST_F(RoundtripWrongBase, ExtractTellsToo) {
  const auto other =
      write_shard("other.safetensors", {make_tensor("a", a_.dtype, a_.shape, 9), b_});
  const std::string output = dir_.path("out.safetensors");
  EXPECT_EQ(error_text(extract({other}, archive_, {"a"}, output)), "wrong base: " + kOtherRevision);
  EXPECT_FALSE(std::filesystem::exists(output));
  EXPECT_EQ(error_text(extract({other}, archive_, {"b"}, output)), "no error");
}

class RoundtripWrongBaseFile : public Roundtrip {
 protected:
  RoundtripWrongBaseFile() {
    for (const char* name : {"base", "tuned"}) {
      (void)write_shard(std::string(name) + "/model.safetensors", {w_});
      dir_.write(std::string(name) + "/tokenizer.json", file_);
      dir_.write(std::string(name) + "/README.md", "small");
    }
    (void)pack_to_archive({base_}, fine_tune_);
  }

  // The base is refused with this message, but its weights are good.
  void expect_only_weights(const std::string& message) {
    expect_wrong_base({base_}, message);
    UnpackOptions options;
    options.weights_only = true;
    const auto report = unpack({base_}, archive_, dir_.path("weights"), options);
    ASSERT_EQ(error_text(report), "no error");
    EXPECT_EQ(report->files, 1u);
    EXPECT_EQ(read_tree(dir_.path("weights")).size(), 1u);
    expect_equal(fine_tune_ + "/model.safetensors", dir_.path("weights/model.safetensors"));
    const std::string output = dir_.path("w.safetensors");
    EXPECT_EQ(error_text(extract({base_}, archive_, {"w"}, output)), "no error");
  }

  const TestTensor w_ = make_tensor("w", DType::kBF16, {64, 32}, 1);
  const std::string file_ = noise(50000, 1);
  const std::string base_ = dir_.path("base");
  const std::string fine_tune_ = dir_.path("tuned");
};

TEST_F(RoundtripWrongBaseFile, Missing) {
  std::filesystem::remove(base_ + "/tokenizer.json");
  expect_only_weights("wrong base: file 'tokenizer.json' is missing");
}

TEST_F(RoundtripWrongBaseFile, OfAnotherSize) {
  dir_.write("base/tokenizer.json", file_ + "x");
  expect_only_weights(
      "wrong base: file 'tokenizer.json' has 50001 bytes where the archive was made from 50000");
}

TEST_F(RoundtripWrongBaseFile, OfOtherBytes) {
  std::string other = file_;
  other[49999] ^= 1;
  dir_.write("base/tokenizer.json", other);
  expect_only_weights(
      "wrong base: file 'tokenizer.json' differs from the one that the archive was made from");
}

TEST_F(RoundtripWrongBaseFile, OfOtherBytesUnderAPatch) {
  dir_.write("tuned/tokenizer.json", "new" + file_);
  (void)pack_to_archive({base_}, fine_tune_);
  std::string other = file_;
  other[25000] ^= 1;
  dir_.write("base/tokenizer.json", other);
  expect_only_weights(
      "wrong base: file 'tokenizer.json' differs from the one that the archive was made from");
}

}  // namespace
}  // namespace finedelta
