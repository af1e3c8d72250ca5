// What was given as an input is never written over, used or not; what a base holds besides its
// shards does no harm.

#include <sys/stat.h>

#include "roundtrip/roundtrip.h"
#include "support/hf_cache_dir.h"

namespace finedelta {
namespace {

using testing::HasSubstr;

class RoundtripGuardedInputs : public Roundtrip {
 protected:
  RoundtripGuardedInputs() {
    (void)write_shard("base/model.safetensors", tensors_);
    (void)write_shard("other/model.safetensors", {make_tensor("z", DType::kBF16, {500, 64}, 9)});
    (void)write_shard("tuned/model.safetensors", tuned(tensors_));
  }

  const std::vector<TestTensor> tensors_ = {make_tensor("w", DType::kBF16, {4000, 64}, 1)};
  const std::string base_ = dir_.path("base");
  const std::string other_ = dir_.path("other");
  const std::string fine_tune_ = dir_.path("tuned");
};

TEST_F(RoundtripGuardedInputs, AnUnusedBaseIsNotReplaced) {
  (void)pack_to_archive({base_}, fine_tune_);
  UnpackOptions options;
  options.force = true;
  const auto before = read_tree(other_);
  EXPECT_EQ(error_text(unpack({base_, other_}, archive_, other_, options)),
            "usage: the output '" + other_ + "' lies inside the input '" + other_ + "'");
  EXPECT_EQ(error_text(unpack({base_, other_}, archive_, other_ + "/inside")),
            "usage: the output '" + other_ + "/inside' lies inside the input '" + other_ + "'");
  const auto reader = ArchiveReader::open(archive_, {base_, other_});
  ASSERT_TRUE(reader.has_value());
  EXPECT_THAT(error_text(reader->extract({"w"}, other_ + "/model.safetensors", true)),
              HasSubstr("lies inside the input"));
  EXPECT_EQ(difference(before, read_tree(other_)), "");
}

TEST_F(RoundtripGuardedInputs, AFileOfACachedModelIsNotReplaced) {
  const HfCacheDir cache;
  const std::string commit(40, 'a');
  cache.add("org/base", commit, "model.safetensors", read_file(base_ + "/model.safetensors"));
  cache.add_ref("org/base", "main", commit);
  archive_ = cache.dir().path(HfCacheDir::snapshot("org/base", commit) + "/model.safetensors");
  EXPECT_THAT(error_text(try_pack({"org/base"}, fine_tune_)), HasSubstr("lies inside the input"));
  EXPECT_EQ(read_file(archive_), read_file(base_ + "/model.safetensors"));
}

TEST_F(RoundtripGuardedInputs, WhatIsNoPartOfABaseDoesNoHarm) {
  ASSERT_EQ(mkfifo(dir_.path("base/pipe").c_str(), 0600), 0);
  dir_.link("base/nowhere", "missing");
  dir_.write("base/.git/HEAD", "ref: refs/heads/main\n");
  (void)roundtrip({base_}, fine_tune_);
}

TEST_F(RoundtripGuardedInputs, ABaseFileOfAnotherKindIsMissing) {
  dir_.write("base/tokenizer.json", std::string(20000, 'a'));
  dir_.write("tuned/tokenizer.json", std::string(20000, 'a'));
  (void)pack_to_archive({base_}, fine_tune_);
  std::filesystem::remove(dir_.path("base/tokenizer.json"));
  std::filesystem::create_directory(dir_.path("base/tokenizer.json"));
  expect_wrong_base({base_}, "wrong base: file 'tokenizer.json' is missing");
}

TEST_F(RoundtripGuardedInputs, ManyBasesShareTheMemoryForHeaders) {
  std::vector<std::string> bases;
  std::vector<TestTensor> many;
  for (int i = 0; i < 6000; ++i) {
    many.push_back(
        make_tensor("a." + std::string(200, 'n') + std::to_string(i), DType::kU8, {1}, 1));
  }
  for (int i = 0; i < 4; ++i) {
    bases.push_back(write_shard("many" + std::to_string(i) + ".safetensors", many));
  }
  options_.memory = kLeastMemory;
  EXPECT_THAT(error_text(try_pack(bases, fine_tune_)), HasSubstr("raise --memory"));
}

}  // namespace
}  // namespace finedelta
