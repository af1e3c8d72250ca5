// Several bases, none that helps, and bases found in the cache.

#include "roundtrip/roundtrip.h"
#include "support/hf_cache_dir.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class RoundtripBases : public Roundtrip {};

TEST_F(RoundtripBases, TheHalvesOfAMerge) {
  std::vector<TestTensor> one;
  std::vector<TestTensor> other;
  for (const char* name : {"a", "b", "c", "d"}) {
    one.push_back(make_tensor(name, DType::kBF16, {64, 32}, one.size()));
    other.push_back(make_tensor(name, DType::kBF16, {64, 32}, 10 + other.size()));
  }
  const std::string first = write_shard("one.safetensors", one);
  const std::string second = write_shard("other.safetensors", other);
  const std::string merge =
      write_shard("merge.safetensors", {other[0], tuned(one[1]), tuned(other[2]), tuned(one[3])});
  const auto summary = roundtrip({first, second}, merge);
  ASSERT_EQ(summary.bases.size(), 2u);
  // Bases are numbered as they are first used: "a" is the second one's.
  std::vector<uint64_t> used;
  for (const TensorSummary& tensor : summary.tensors) {
    EXPECT_EQ(tensor.match, "same");
    used.push_back(tensor.base);
  }
  EXPECT_THAT(used, ElementsAre(0, 1, 0, 1));
  expect_unpacks({second, first}, merge);
  expect_wrong_base({first},
                    "wrong base: tensor 'a' differs from the one that the archive was "
                    "made from (another revision?)");
}

TEST_F(RoundtripBases, ABaseThatIsNoUseIsNotNeeded) {
  const auto base = make_tensor("w", DType::kBF16, {64, 32}, 1);
  const std::string useful = write_shard("useful.safetensors", {base});
  const std::string useless =
      write_shard("useless.safetensors", {make_tensor("x", DType::kBF16, {64, 32}, 2)});
  const std::string fine_tune = write_shard("tuned.safetensors", {tuned(base)});
  const auto summary = pack_to_archive({useless, useful}, fine_tune);
  EXPECT_EQ(summary.bases.size(), 1u);
  EXPECT_THAT(notes_, ElementsAre("base '" + useless +
                                  "' is no use: nothing of it helps to store the fine-tune, and "
                                  "the archive does not need it"));
  expect_unpacks({useful}, fine_tune);
}

TEST_F(RoundtripBases, AWhollyOtherBaseChangesNothing) {
  const std::string base = write_shard(
      "base.safetensors",
      {make_tensor("x", DType::kBF16, {64, 32}, 1), make_tensor("y", DType::kF32, {9}, 2)});
  const std::string fine_tune =
      write_shard("tuned.safetensors", {make_tensor("z", DType::kBF16, {64, 33}, 3)});
  roundtrip({}, fine_tune);
  EXPECT_THAT(notes_, IsEmpty());
  const std::string alone = read_file(archive_);
  const auto summary = pack_to_archive({base}, fine_tune);
  EXPECT_TRUE(read_file(archive_) == alone);
  EXPECT_THAT(summary.bases, IsEmpty());
  EXPECT_THAT(notes_, ElementsAre("base '" + base +
                                  "' is no use: nothing of it helps to store the fine-tune, and "
                                  "the archive does not need it"));
  expect_unpacks({}, fine_tune);
}

// Two bases that have the same middle of a tensor, where the sample is taken: a table of which few
// rows were trained.
TEST_F(RoundtripBases, BasesThatDifferOutsideTheSample) {
  const auto original = make_tensor("embed", DType::kBF16, {4096, 64}, 1);
  TestTensor later = original;
  later.bytes.replace(0, 100000, tuned(DType::kBF16, noise(100000, 5), 1));
  TestTensor newest = later;
  newest.bytes[200] ^= 1;
  const std::string first = write_shard("first.safetensors", {original});
  const std::string second = write_shard("second.safetensors", {later});
  const std::string fine_tune = write_shard("tuned.safetensors", {newest});
  const auto summary = roundtrip({first, second}, fine_tune);
  EXPECT_THAT(matches(summary), ElementsAre(Pair("embed", "same")));
  EXPECT_LT(summary.payload_bytes, 1000u);
  expect_unpacks({second, first}, fine_tune);
}

// The same for shards of one base.
TEST_F(RoundtripBases, ShardsThatDifferOutsideTheSample) {
  const auto one = make_tensor("embed", DType::kBF16, {4096, 64}, 1);
  TestTensor other = one;
  other.bytes.replace(0, 100000, noise(100000, 5));
  (void)write_shard("base/a.safetensors", {one});
  (void)write_shard("base/b.safetensors", {other});
  const auto summary = roundtrip({dir_.path("base")}, write_shard("tuned.safetensors", {other}));
  EXPECT_EQ(summary.payload_bytes, 0u);
}

TEST_F(RoundtripBases, FilesOfTheSameNameAndSizeInTwoBases) {
  const auto w = make_tensor("w", DType::kBF16, {64, 32}, 1);
  for (const char* name : {"one", "other", "tuned"}) {
    (void)write_shard(std::string(name) + "/model.safetensors", {w});
  }
  dir_.write("one/tokenizer.json", noise(20000, 1));
  dir_.write("other/tokenizer.json", noise(20000, 2));
  dir_.write("tuned/tokenizer.json", noise(20000, 2));
  const std::string one = dir_.path("one");
  const std::string other = dir_.path("other");
  const auto summary = roundtrip({one, other}, dir_.path("tuned"));
  EXPECT_EQ(kinds(summary)["tokenizer.json"], "reference");
  expect_unpacks({other, one}, dir_.path("tuned"));
}

class RoundtripCachedBases : public Roundtrip {
 protected:
  void add_revision(const std::string& commit, const TestTensor& tensor) const {
    cache_.add("org/base", commit, commit.substr(0, 1) + ".safetensors",
               make_safetensors({tensor}));
  }

  const HfCacheDir cache_;
  const TestTensor older_ = make_tensor("w", DType::kBF16, {64, 32}, 1);
  const TestTensor newer_ = make_tensor("w", DType::kBF16, {64, 32}, 2);
  const std::string older_commit_ = std::string(40, 'a');
  const std::string newer_commit_ = std::string(40, 'b');
};

TEST_F(RoundtripCachedBases, IsFoundByTheRecordedName) {
  add_revision(older_commit_, older_);
  add_revision(newer_commit_, newer_);
  const std::string fine_tune = write_shard("tuned.safetensors", {tuned(newer_)});
  const auto summary = pack_to_archive({"org/base@" + newer_commit_}, fine_tune);
  ASSERT_EQ(summary.bases.size(), 1u);
  EXPECT_EQ(summary.bases[0].name, "org/base");
  EXPECT_EQ(summary.bases[0].revision, newer_commit_);
  const std::string output = dir_.path("out.safetensors");
  const auto unpacked = unpack({}, archive_, output);
  ASSERT_EQ(error_text(unpacked), "no error");
  EXPECT_THAT(unpacked->bases,
              ElementsAre(cache_.dir().path(HfCacheDir::snapshot("org/base", newer_commit_))));
  expect_equal(fine_tune, output);
}

TEST_F(RoundtripCachedBases, IsFoundByItsBytesWhereTheNameWasNotKnown) {
  add_revision(older_commit_, older_);
  add_revision(newer_commit_, newer_);
  const std::string base = write_shard("base.safetensors", {newer_});
  const std::string fine_tune = write_shard("tuned.safetensors", {tuned(newer_)});
  ASSERT_EQ(pack_to_archive({base}, fine_tune).bases[0].name, "");
  ASSERT_EQ(error_text(unpack({}, archive_, dir_.path("out.safetensors"))), "no error");
  expect_equal(fine_tune, dir_.path("out.safetensors"));
}

TEST_F(RoundtripCachedBases, IsNamedWhereTheCacheHasItNot) {
  {
    const HfCacheDir other;
    other.add("org/base", newer_commit_, "model.safetensors", make_safetensors({newer_}));
    (void)pack_to_archive({"org/base@" + newer_commit_},
                          write_shard("tuned.safetensors", {tuned(newer_)}));
  }
  add_revision(older_commit_, older_);
  EXPECT_EQ(error_text(unpack({}, archive_, dir_.path("out.safetensors"))),
            "failure: the base 'org/base' (revision '" + newer_commit_ +
                "') is needed, and it is not in the local Hugging Face cache; give its path");
  EXPECT_FALSE(std::filesystem::exists(dir_.path("out.safetensors")));
}

TEST_F(RoundtripCachedBases, OneIsGivenAndTheOtherFound) {
  add_revision(newer_commit_, newer_);
  const auto x = make_tensor("x", DType::kBF16, {64, 32}, 3);
  const std::string given = write_shard("given.safetensors", {x});
  const std::string fine_tune = write_shard("tuned.safetensors", {tuned(newer_), tuned(x)});
  ASSERT_EQ(pack_to_archive({"org/base@" + newer_commit_, given}, fine_tune).bases.size(), 2u);
  expect_unpacks({given}, fine_tune);
}

}  // namespace
}  // namespace finedelta
