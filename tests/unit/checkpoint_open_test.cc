#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "support/error_text.h"
#include "support/hf_cache_dir.h"
#include "support/make_safetensors.h"

namespace finedelta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kCommit(40, 'c');
const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') +
    "\nsize 1234567\n";

std::string shard_of(const std::string& tensor) {
  return make_safetensors({{.name = tensor, .dtype = DType::kU8, .shape = {3}, .bytes = "xyz"}});
}

class OpenCheckpointTest : public ::testing::Test {
 protected:
  Result<Checkpoint> open(std::string_view argument, Role role = Role::kFineTune) {
    options_.role = role;
    options_.note = [this](std::string_view note) { notes_.emplace_back(note); };
    return open_checkpoint(argument, options_);
  }

  std::string error(std::string_view argument, Role role = Role::kFineTune) {
    return error_text(open(argument, role));
  }

  std::string shown(std::string_view path) { return quote(dir_.path(path)); }

  TempDir dir_;
  HfCacheDir cache_;
  CheckpointOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(OpenCheckpointTest, ADirectoryOfShardsAndSideFiles) {
  dir_.write("m/model-2.safetensors", shard_of("b"));
  dir_.write("m/model-1.safetensors", shard_of("a"));
  dir_.write("m/unet/model.safetensors", shard_of("u"));
  dir_.write("m/config.json", "{}");
  dir_.write("m/model.safetensors.index.json",
             R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  const auto checkpoint = open(dir_.path("m"), Role::kBase);
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->location, dir_.path("m"));
  EXPECT_EQ(checkpoint->model, ModelName{});
  EXPECT_FALSE(checkpoint->single_file);
  EXPECT_THAT(checkpoint->entries,
              ElementsAre(::testing::Field(&Entry::path, "config.json"),
                          ::testing::Field(&Entry::path, "model-1.safetensors"),
                          ::testing::Field(&Entry::path, "model-2.safetensors"),
                          ::testing::Field(&Entry::path, "model.safetensors.index.json"),
                          ::testing::Field(&Entry::path, "unet/model.safetensors")));
  ASSERT_EQ(checkpoint->shards.size(), 3u);
  EXPECT_EQ(checkpoint->shards[0].entry, 1u);
  EXPECT_EQ(checkpoint->shards[1].entry, 2u);
  EXPECT_EQ(checkpoint->shards[2].entry, 4u);
  EXPECT_EQ(checkpoint->shards[2].header.tensors[0].name, "u");
  EXPECT_EQ(checkpoint->shards[2].file.path(), dir_.path("m/unet/model.safetensors"));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OpenCheckpointTest, TheLocationIsARealPath) {
  dir_.write("m/config.json", "{}");
  dir_.link("alias", "m");
  for (const char* argument : {"alias", "alias/", "alias/.", "m/../m//"}) {
    const auto checkpoint = open(dir_.path(argument));
    ASSERT_EQ(error_text(checkpoint), "no error") << argument;
    EXPECT_EQ(checkpoint->location, dir_.path("m"));
  }
}

TEST_F(OpenCheckpointTest, ADirectoryWithoutShards) {
  dir_.write("m/config.json", "{}");
  for (const Role role : {Role::kBase, Role::kFineTune}) {
    const auto checkpoint = open(dir_.path("m"), role);
    ASSERT_EQ(error_text(checkpoint), "no error");
    EXPECT_EQ(checkpoint->entries.size(), 1u);
    EXPECT_THAT(checkpoint->shards, IsEmpty());
  }
}

TEST_F(OpenCheckpointTest, TheWalksErrorsAndOptionsArePassedOn) {
  dir_.write("m/.git/config", "");
  ASSERT_EQ(error_text(open(dir_.path("m"))), "no error");
  EXPECT_THAT(notes_, ElementsAre("'.git' is skipped; --all keeps it"));
  options_.all = true;
  const auto all = open(dir_.path("m"));
  ASSERT_EQ(error_text(all), "no error");
  EXPECT_EQ(all->entries.size(), 1u);
  dir_.link("m/x", "/dev/null");
  EXPECT_THAT(error(dir_.path("m")), HasSubstr("which is a device"));
}

TEST_F(OpenCheckpointTest, ASingleFile) {
  const std::string content = shard_of("a");
  const std::string path = dir_.write("weights.bin", content);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  const auto checkpoint = open(path, Role::kBase);
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->location, path);
  EXPECT_TRUE(checkpoint->single_file);
  EXPECT_EQ(checkpoint->model, ModelName{});
  ASSERT_EQ(checkpoint->entries.size(), 1u);
  EXPECT_EQ(checkpoint->entries[0].path, "weights.bin");
  EXPECT_EQ(checkpoint->entries[0].source, path);
  EXPECT_EQ(checkpoint->entries[0].kind, EntryKind::kShard);
  EXPECT_TRUE(checkpoint->entries[0].executable);
  EXPECT_EQ(checkpoint->entries[0].size, content.size());
  ASSERT_EQ(checkpoint->shards.size(), 1u);
}

TEST_F(OpenCheckpointTest, ASingleFileMustBeSafetensors) {
  const std::string path = dir_.write("weights.safetensors", "short");
  for (const Role role : {Role::kBase, Role::kFineTune}) {
    EXPECT_EQ(error(path, role),
              "damaged: " + quote(path) + " is too short for a safetensors file: it has 5 bytes");
  }
  const std::string pipe = dir_.path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error(pipe), "damaged: " + quote(pipe) + " is not a regular file");
}

TEST_F(OpenCheckpointTest, ABadShardOfABaseIsItsError) {
  dir_.write("m/model.safetensors", "short");
  EXPECT_EQ(error(dir_.path("m"), Role::kBase),
            "damaged: " + shown("m/model.safetensors") +
                " is too short for a safetensors file: it has 5 bytes");
}

TEST_F(OpenCheckpointTest, ABadShardOfAFineTuneBecomesASideFile) {
  dir_.write("m/bad.safetensors", "short");
  dir_.write("m/good.safetensors", shard_of("a"));
  const auto checkpoint = open(dir_.path("m"));
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->entries[0].kind, EntryKind::kSideFile);
  EXPECT_EQ(checkpoint->entries[0].size, 5u);
  EXPECT_EQ(checkpoint->entries[1].kind, EntryKind::kShard);
  ASSERT_EQ(checkpoint->shards.size(), 1u);
  EXPECT_EQ(checkpoint->shards[0].entry, 1u);
  EXPECT_THAT(notes_,
              ElementsAre(shown("m/bad.safetensors") +
                          " is too short for a safetensors file: it has 5 bytes; it is kept as a "
                          "side file"));
}

TEST_F(OpenCheckpointTest, AGitLfsPointerIsRefusedInEveryRole) {
  const std::string path = dir_.write("m/model.safetensors", kPointer);
  const std::string expected = "damaged: " + quote(path) +
                               " is a Git LFS pointer, not the file that it stands for; fetch the "
                               "file with `git lfs pull`";
  EXPECT_EQ(error(dir_.path("m"), Role::kBase), expected);
  EXPECT_EQ(error(dir_.path("m"), Role::kFineTune), expected);
  EXPECT_EQ(error(path), expected);
}

TEST_F(OpenCheckpointTest, AGitLfsPointerInPlaceOfASideFileIsKept) {
  dir_.write("m/tokenizer.model", kPointer);
  EXPECT_EQ(error(dir_.path("m"), Role::kBase), "no error");
}

TEST_F(OpenCheckpointTest, TheHeaderLimitBoundsAllHeadersTogether) {
  const std::string a = shard_of("a");
  const std::string b = shard_of("b");
  dir_.write("m/a.safetensors", a);
  dir_.write("m/b.safetensors", b);
  options_.header_limit = a.size() + b.size() - 2 * (safetensors::kLengthSize + 3);
  EXPECT_EQ(error(dir_.path("m")), "no error");
  --options_.header_limit;
  for (const Role role : {Role::kBase, Role::kFineTune}) {
    EXPECT_EQ(error(dir_.path("m"), role),
              fmt::format("failure: the headers of the shards up to {} take more than {} bytes of "
                          "memory; raise --memory",
                          shown("m/b.safetensors"), options_.header_limit));
  }
}

TEST_F(OpenCheckpointTest, TheHeaderLimitBoundsEachIndex) {
  dir_.write("m/x.safetensors.index.json", R"({"weight_map":{}})");
  options_.header_limit = 17;
  EXPECT_EQ(error(dir_.path("m")), "no error");
  options_.header_limit = 16;
  EXPECT_EQ(error(dir_.path("m")), "failure: the shard index " +
                                       shown("m/x.safetensors.index.json") +
                                       " takes more than 16 bytes of memory; raise --memory");
}

TEST_F(OpenCheckpointTest, AHeaderThatCannotBeDoesNotSpendTheLimit) {
  options_.header_limit = 1000;
  std::string lying(8, '\xff');
  dir_.write("m/a.safetensors", lying);
  dir_.write("m/b.safetensors", shard_of("b"));
  EXPECT_EQ(error(dir_.path("m")), "no error");
  EXPECT_EQ(notes_.size(), 1u);
}

TEST_F(OpenCheckpointTest, ABadIndexOfABaseIsDamageAndOfAFineTuneANote) {
  dir_.write("m/model.safetensors", shard_of("a"));
  dir_.write("m/sub/x.safetensors.index.json", R"({"weight_map":{"a":"model.safetensors"}})");
  const std::string problem = "the shard index " + shown("m/sub/x.safetensors.index.json") +
                              " says that tensor 'a' is in 'model.safetensors', but there is no "
                              "such shard";
  EXPECT_EQ(error(dir_.path("m"), Role::kBase), "damaged: " + problem);
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_EQ(error(dir_.path("m")), "no error");
  EXPECT_THAT(notes_, ElementsAre(problem + "; it is kept as a side file"));
}

TEST_F(OpenCheckpointTest, AFileThatMayNotBeReadIsAFailureInEveryRole) {
  dir_.write("shard/model.safetensors", shard_of("a"));
  dir_.write("index/model.safetensors.index.json", R"({"weight_map":{}})");
  std::filesystem::permissions(dir_.path(), std::filesystem::perms::all);
  for (const char* model : {"shard", "index"}) {
    const std::string file = std::filesystem::directory_iterator(dir_.path(model))->path();
    std::filesystem::permissions(file, std::filesystem::perms::none);
    const bool is_root = geteuid() == 0;
    if (is_root) {  // who may read everything: be nobody for a while
      ASSERT_EQ(seteuid(65534), 0);
    }
    const std::string text = error(dir_.path(model));
    if (is_root) {
      ASSERT_EQ(seteuid(0), 0);
    }
    EXPECT_EQ(text, "failure: cannot open " + quote(file) + ": Permission denied");
  }
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OpenCheckpointTest, AModelInTheCacheWithItsBlobs) {
  cache_.add("org/name", kCommit, "model.safetensors", shard_of("a"));
  cache_.add("org/name", kCommit, "unet/config.json", "{}");
  cache_.add_ref("org/name", "main", kCommit);
  const auto checkpoint = open("org/name", Role::kBase);
  ASSERT_EQ(error_text(checkpoint), "no error");
  const std::string snapshot = cache_.dir().path(HfCacheDir::snapshot("org/name", kCommit));
  EXPECT_EQ(checkpoint->location, snapshot);
  EXPECT_EQ(checkpoint->model, (ModelName{"org/name", kCommit}));
  ASSERT_EQ(checkpoint->entries.size(), 2u);
  EXPECT_EQ(checkpoint->entries[0].path, "model.safetensors");
  EXPECT_EQ(checkpoint->entries[0].source,
            cache_.dir().path("models--org--name/blobs/model.safetensors"));
  EXPECT_EQ(checkpoint->entries[1].path, "unet/config.json");
  ASSERT_EQ(checkpoint->shards.size(), 1u);
  EXPECT_EQ(checkpoint->shards[0].file.path(), snapshot + "/model.safetensors");
}

TEST_F(OpenCheckpointTest, AModelInTheCacheMayBeGivenByItsPath) {
  cache_.add("gpt2", kCommit, "model.safetensors", shard_of("a"));
  cache_.add("gpt2", kCommit, "unet/model.safetensors", shard_of("u"));
  const std::string snapshot = cache_.dir().path(HfCacheDir::snapshot("gpt2", kCommit));
  const auto whole = open(snapshot + "/");
  ASSERT_EQ(error_text(whole), "no error");
  EXPECT_EQ(whole->model, (ModelName{"gpt2", kCommit}));

  const auto file = open(snapshot + "/unet/model.safetensors");
  ASSERT_EQ(error_text(file), "no error");
  EXPECT_EQ(file->model, (ModelName{"gpt2", kCommit}));
  EXPECT_EQ(file->location, snapshot + "/unet/model.safetensors");
  EXPECT_EQ(file->entries[0].path, "model.safetensors");
  EXPECT_EQ(file->entries[0].source,
            cache_.dir().path("models--gpt2/blobs/unet_model.safetensors"));

  const auto part = open(snapshot + "/unet");
  ASSERT_EQ(error_text(part), "no error");
  EXPECT_EQ(part->model, ModelName{});
  EXPECT_EQ(part->shards.size(), 1u);
}

TEST_F(OpenCheckpointTest, ASnapshotsLinksMayNotLeaveTheModelsFolder) {
  cache_.add("a/b", kCommit, "config.json", "{}");
  cache_.dir().write("models--x--y/blobs/1", "other model");
  cache_.dir().link(HfCacheDir::snapshot("a/b", kCommit) + "/x", "../../../models--x--y/blobs/1");
  EXPECT_THAT(error("a/b@" + kCommit),
              HasSubstr(", outside the model's own folder; copy the file in its place"));
}

TEST_F(OpenCheckpointTest, TheModelsFolderMayBeKeptElsewhere) {
  dir_.write("store/blobs/1", "{}");
  dir_.link("store/snapshots/" + kCommit + "/config.json", "../../blobs/1");
  cache_.dir().link("models--a--b", dir_.path("store"));
  const auto checkpoint = open("a/b@" + kCommit);
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->model, (ModelName{"a/b", kCommit}));
  EXPECT_EQ(checkpoint->entries[0].source, dir_.path("store/blobs/1"));
}

TEST_F(OpenCheckpointTest, AnExistingPathWinsOverAName) {
  cache_.add("org/name", kCommit, "model.safetensors", shard_of("a"));
  cache_.add_ref("org/name", "main", kCommit);
  dir_.write("org/name/config.json", "{}");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir_.path());
  const auto checkpoint = open("org/name");
  std::filesystem::current_path(before);
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->location, dir_.path("org/name"));
  EXPECT_EQ(checkpoint->model, ModelName{});
}

TEST_F(OpenCheckpointTest, AFileInTheCurrentDirectory) {
  dir_.write("w.safetensors", shard_of("a"));
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir_.path());
  const auto checkpoint = open("w.safetensors");
  std::filesystem::current_path(before);
  ASSERT_EQ(error_text(checkpoint), "no error");
  EXPECT_EQ(checkpoint->location, dir_.path("w.safetensors"));
}

TEST_F(OpenCheckpointTest, WhatIsNowhere) {
  EXPECT_EQ(error("org/name"),
            "failure: there is no file or directory 'org/name', and no model of that name in the "
            "Hugging Face cache " +
                quote(cache_.dir().path()) +
                "; finedelta never downloads: do it first, for example with `hf download "
                "org/name`");
  for (const std::string& argument : {std::string(), std::string("../x"), dir_.path("gone"),
                                      std::string("a\0b", 3), std::string(10000, 'x')}) {
    EXPECT_EQ(error(argument), "failure: there is no file or directory " + quote(argument) +
                                   ", and that is not the name of a model (org/name[@revision]) "
                                   "either");
  }
}

TEST_F(OpenCheckpointTest, ALinkThatLeadsNowhereIsAPath) {
  const std::string link = dir_.link("link", "gone");
  EXPECT_EQ(error(link), "failure: cannot open " + quote(link) + ": No such file or directory");
  const std::string loop = dir_.link("loop", "loop");
  EXPECT_EQ(error(loop),
            "failure: cannot open " + quote(loop) + ": Too many levels of symbolic links");
}

}  // namespace
}  // namespace finedelta
