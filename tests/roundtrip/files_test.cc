// Every byte of a model's files comes back, whatever their form.

#include <bit>

#include "roundtrip/roundtrip.h"
#include "support/hf_cache_dir.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class RoundtripFiles : public Roundtrip {
 protected:
  const std::vector<TestTensor> tensors_ = {make_tensor("a", DType::kBF16, {64, 32}, 1),
                                            make_tensor("b", DType::kF32, {32, 16}, 2)};
  const std::string base_ = write_shard("base.safetensors", tensors_);
};

TEST_F(RoundtripFiles, ADirectoryOfShardsAndOtherFiles) {
  const auto newer = tuned(tensors_);
  dir_.write("tuned/model-00001-of-00002.safetensors",
             make_safetensors({newer[0]}, R"({"format":"pt"})"));
  dir_.write("tuned/model-00002-of-00002.safetensors", make_safetensors({newer[1]}));
  dir_.write("tuned/model.safetensors.index.json",
             R"({"metadata":{},"weight_map":{"a":"model-00001-of-00002.safetensors",)"
             R"("b":"model-00002-of-00002.safetensors"}})");
  dir_.write("tuned/sub/deeper/notes.txt", "text");
  dir_.write("tuned/sub/empty.txt", "");
  dir_.write("tuned/.hidden", "h");
  dir_.write("tuned/bad\xff\xfename", "bytes");
  dir_.make_directory("tuned/nothing/here");
  const std::string script = dir_.write("tuned/run.sh", "#!/bin/sh\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);

  const ArchiveSummary summary = roundtrip({base_}, dir_.path("tuned"));

  EXPECT_FALSE(summary.single_file);
  EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "same"), Pair("b", "same")));
  EXPECT_THAT(
      kinds(summary),
      ElementsAre(Pair(".hidden", "embedded"), Pair("bad\xff\xfename", "embedded"),
                  Pair("model-00001-of-00002.safetensors", "shard"),
                  Pair("model-00002-of-00002.safetensors", "shard"),
                  Pair("model.safetensors.index.json", "embedded"),
                  Pair("nothing/here", "directory"), Pair("run.sh", "embedded"),
                  Pair("sub/deeper/notes.txt", "embedded"), Pair("sub/empty.txt", "embedded")));
  for (const FileSummary& file : summary.files) EXPECT_EQ(file.executable, file.path == "run.sh");
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(RoundtripFiles, ASingleFile) {
  const std::string fine_tune = write_shard("tuned.safetensors", tuned(tensors_));
  std::filesystem::permissions(fine_tune, std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);
  const ArchiveSummary summary = pack_to_archive({base_}, fine_tune);
  EXPECT_TRUE(summary.single_file);
  EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "same"), Pair("b", "same")));
  ASSERT_EQ(error_text(unpack({base_}, archive_, dir_.path("out.safetensors"))), "no error");
  expect_equal(fine_tune, dir_.path("out.safetensors"));
  const auto mode = std::filesystem::status(dir_.path("out.safetensors")).permissions();
  EXPECT_NE(mode & std::filesystem::perms::owner_exec, std::filesystem::perms::none);
}

TEST_F(RoundtripFiles, AModelAgainstItself) {
  const ArchiveSummary summary = roundtrip({base_}, base_);
  EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "same"), Pair("b", "same")));
  EXPECT_EQ(summary.payload_bytes, 0u);
}

TEST_F(RoundtripFiles, AnEmptyDirectory) {
  const ArchiveSummary summary = roundtrip({base_}, dir_.make_directory("tuned"));
  EXPECT_THAT(summary.files, IsEmpty());
  EXPECT_THAT(summary.bases, IsEmpty());
}

TEST_F(RoundtripFiles, AFileWithoutTensors) {
  const ArchiveSummary summary = roundtrip({base_}, write_shard("tuned.safetensors", {}));
  EXPECT_THAT(summary.tensors, IsEmpty());
  EXPECT_THAT(summary.bases, IsEmpty());
}

TEST_F(RoundtripFiles, HeadersOfEveryForm) {
  const std::string a(4, 'a');
  const std::string b(8, 'b');
  const std::string headers[] = {// Odd spacing and an odd length: the data is not aligned.
                                 R"({ "a" :{"dtype":"F32", "shape":[ 1 ],"data_offsets":[0,4]},
         "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                                 // Other order than the data's.
                                 R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
                                 R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                 // Other order of the fields; padding far over the next 8 bytes.
                                 R"({"a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"},)"
                                 R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})" +
                                     std::string(1000, ' '),
                                 // Metadata at the end, with escapes.
                                 R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                 R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
                                 R"("__metadata__":{"k\u00e9y":"v\\al\"ue","format":"pt"}})",
                                 // A name spelt with escapes.
                                 R"({"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                 R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})"};
  for (const std::string& header : headers) {
    SCOPED_TRACE(header);
    const auto summary =
        roundtrip({base_}, dir_.write("tuned.safetensors", raw_safetensors(header, a + b)));
    EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "none"), Pair("b", "none")));
  }
}

TEST_F(RoundtripFiles, CanonicalHeadersWithMetadataAndStrangeNames) {
  const std::vector<TestTensor> strange = {
      make_tensor("", DType::kU8, {3}, 1), make_tensor("quote\"back\\slash", DType::kU8, {3}, 2),
      make_tensor("tab\tnewline\n\x01", DType::kU8, {3}, 3),
      make_tensor("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", DType::kU8, {3}, 4)};
  const std::string file = make_safetensors(strange, R"({"format":"pt","":"x"})");
  const auto summary = roundtrip({}, dir_.write("tuned.safetensors", file));
  ASSERT_EQ(summary.tensors.size(), 4u);
  EXPECT_EQ(summary.tensors[2].name, "tab\tnewline\n\x01");
}

TEST_F(RoundtripFiles, ASnapshotOfTheCache) {
  const HfCacheDir cache;
  const std::string commit(40, 'c');
  cache.add_ref("org/tuned", "main", commit);
  cache.add("org/tuned", commit, "model.safetensors", make_safetensors(tuned(tensors_)));
  cache.add("org/tuned", commit, "sub/config.json", "{}");
  const ArchiveSummary summary = pack_to_archive({base_}, "org/tuned");
  EXPECT_THAT(matches(summary), ElementsAre(Pair("a", "same"), Pair("b", "same")));
  const std::string snapshot = cache.dir().path(HfCacheDir::snapshot("org/tuned", commit));
  expect_unpacks({base_}, snapshot);
  ASSERT_EQ(error_text(unpack({base_}, archive_, dir_.path("files"))), "no error");
  EXPECT_FALSE(std::filesystem::is_symlink(dir_.path("files/model.safetensors")));
  EXPECT_FALSE(std::filesystem::is_symlink(dir_.path("files/sub/config.json")));
}

TEST_F(RoundtripFiles, NumbersOfEveryKind) {
  const uint32_t special[] = {0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000,
                              0x7F800001, 0xFFFFFFFF, 0x7FBFFFFF, 0x00000001, 0x807FFFFF,
                              0x00800000, 0x7F7FFFFF, 0x3F800000, 0xFFC01234, 0x33000001};
  std::string f32;
  for (size_t i = 0; i < 4096; ++i) {
    const uint32_t value = special[i % std::size(special)];
    f32.append(std::bit_cast<std::array<char, 4>>(value).data(), 4);
  }
  std::string patterns;  // all of 16 bits: F16 and BF16 alike
  for (uint32_t i = 0; i < 65536; ++i) {
    patterns += static_cast<char>(i);
    patterns += static_cast<char>(i >> 8);
  }
  const std::vector<TestTensor> fine_tune = {{"f32", DType::kF32, {4096}, f32},
                                             {"f16", DType::kF16, {65536}, patterns},
                                             {"bf16", DType::kBF16, {65536}, patterns}};
  // The base has them shifted, so that every kind of number meets others.
  std::vector<TestTensor> base = fine_tune;
  for (TestTensor& tensor : base) std::ranges::rotate(tensor.bytes, tensor.bytes.begin() + 4);
  const auto summary =
      roundtrip({write_shard("a.safetensors", base)}, write_shard("b.safetensors", fine_tune));
  EXPECT_EQ(summary.tensors.size(), 3u);
  // And each cast to the other types.
  const std::pair<DType, DType> casts[] = {
      {DType::kF32, DType::kF16}, {DType::kF32, DType::kBF16}, {DType::kF16, DType::kBF16}};
  for (const auto& [from, to] : casts) {
    const auto bytes = [&](DType dtype) { return dtype == DType::kF32 ? f32 : patterns; };
    const auto shape = [&](DType dtype) {
      return std::vector<uint64_t>{bytes(dtype).size() / dtype_unit(dtype)};
    };
    const auto one = write_shard("a.safetensors", {{"w", from, shape(from), bytes(from)}});
    const auto other = write_shard("b.safetensors", {{"w", to, shape(to), bytes(to)}});
    roundtrip({one}, other);
    roundtrip({other}, one);
  }
}

TEST_F(RoundtripFiles, AnInvalidShardIsKeptAsASideFile) {
  dir_.write("tuned/broken.safetensors", "not a header at all");
  dir_.write("tuned/model.safetensors", make_safetensors(tuned(tensors_)));
  const ArchiveSummary summary = roundtrip({base_}, dir_.path("tuned"));
  EXPECT_THAT(kinds(summary), ElementsAre(Pair("broken.safetensors", "embedded"),
                                          Pair("model.safetensors", "shard")));
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_THAT(notes_[0], testing::HasSubstr("broken.safetensors"));
  EXPECT_THAT(notes_[0], testing::EndsWith("; it is kept as a side file"));
}

TEST_F(RoundtripFiles, ToolsFoldersAreSkippedUnlessAllIsKept) {
  dir_.write("tuned/model.safetensors", make_safetensors(tuned(tensors_)));
  dir_.write("tuned/.git/HEAD", "ref: refs/heads/main\n");
  dir_.write("tuned/.cache/huggingface/download/x.metadata", "x");
  dir_.write("tuned/.cache/other", "y");
  const ArchiveSummary without = pack_to_archive({base_}, dir_.path("tuned"));
  EXPECT_THAT(kinds(without),
              ElementsAre(Pair(".cache/other", "embedded"), Pair("model.safetensors", "shard")));
  EXPECT_THAT(notes_,
              testing::UnorderedElementsAre("'.git' is skipped; --all keeps it",
                                            "'.cache/huggingface' is skipped; --all keeps it"));
  options_.all = true;
  const ArchiveSummary with = roundtrip({base_}, dir_.path("tuned"));
  EXPECT_EQ(with.files.size(), 4u);
  EXPECT_THAT(notes_, IsEmpty());
}

}  // namespace
}  // namespace finedelta
