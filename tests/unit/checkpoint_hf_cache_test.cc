#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "checkpoint/hf_cache.h"
#include "support/error_text.h"
#include "support/hf_cache_dir.h"

namespace finedelta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kCommitA(40, 'a');
const std::string kCommitB = "abcdef1" + std::string(33, '0');
const std::string kCommitC = "abcdef1" + std::string(33, '1');

class HfCacheTest : public ::testing::Test {
 protected:
  // The commit that was found, or the error.
  static std::string find(std::string_view argument) {
    const auto snapshot = find_snapshot(argument);
    return snapshot ? snapshot->model.revision : error_text(snapshot);
  }

  [[nodiscard]] std::string shown_cache() const { return quote(cache_.dir().path()); }

  void add_model(std::string_view model, std::string_view commit) const {
    cache_.add(model, commit, "config.json", "{}");
  }

  HfCacheDir cache_;
};

TEST(HfCacheFolder, TheFirstVariableThatIsSetWins) {
  const ScopedEnv home("HOME", "/home/me");
  const ScopedEnv caches("XDG_CACHE_HOME", "/xdg");
  const ScopedEnv hf_home("HF_HOME", "/hf");
  const ScopedEnv older("HUGGINGFACE_HUB_CACHE", "/older");
  const ScopedEnv newer("HF_HUB_CACHE", "/newer");
  EXPECT_EQ(hf_cache_folder(), "/newer");
  const ScopedEnv no_newer("HF_HUB_CACHE", "");
  EXPECT_EQ(hf_cache_folder(), "/older");
  const ScopedEnv no_older("HUGGINGFACE_HUB_CACHE", nullptr);
  EXPECT_EQ(hf_cache_folder(), "/hf/hub");
  const ScopedEnv tilde("HF_HOME", "~/models");
  EXPECT_EQ(hf_cache_folder(), "/home/me/models/hub");
  const ScopedEnv no_hf_home("HF_HOME", nullptr);
  EXPECT_EQ(hf_cache_folder(), "/xdg/huggingface/hub");
  const ScopedEnv no_caches("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(hf_cache_folder(), "/home/me/.cache/huggingface/hub");
  const ScopedEnv no_home("HOME", nullptr);
  EXPECT_EQ(hf_cache_folder(), "");
  EXPECT_EQ(error_text(find_snapshot("org/name")),
            "failure: there is no file or directory 'org/name', and no Hugging Face cache to look "
            "in: set HF_HOME");
  EXPECT_THAT(cached_snapshots({}), IsEmpty());
}

TEST_F(HfCacheTest, WithoutARevisionTheRefMainIsMeant) {
  add_model("org/name", kCommitA);
  add_model("org/name", kCommitB);
  cache_.add_ref("org/name", "main", kCommitB);
  const auto snapshot = find_snapshot("org/name");
  ASSERT_EQ(error_text(snapshot), "no error");
  EXPECT_EQ(snapshot->model, (ModelName{"org/name", kCommitB}));
  EXPECT_EQ(snapshot->path, cache_.dir().path("models--org--name/snapshots/" + kCommitB));
  EXPECT_EQ(snapshot->storage, cache_.dir().path("models--org--name"));
}

TEST_F(HfCacheTest, ARevisionIsARefACommitOrItsFirstDigits) {
  add_model("org/name", kCommitA);
  add_model("org/name", kCommitB);
  cache_.add_ref("org/name", "v1.0", kCommitA + "\n");
  cache_.add_ref("org/name", "refs/pr/1", kCommitB);
  EXPECT_EQ(find("org/name@v1.0"), kCommitA);
  EXPECT_EQ(find("org/name@refs/pr/1"), kCommitB);
  EXPECT_EQ(find("org/name@" + kCommitA), kCommitA);
  EXPECT_EQ(find("org/name@abcdef1"), kCommitB);
  EXPECT_EQ(find("org/name@abcdef10"), kCommitB);
}

TEST_F(HfCacheTest, AModelMayHaveNoOrganisation) {
  add_model("gpt2", kCommitA);
  cache_.add_ref("gpt2", "main", kCommitA);
  EXPECT_EQ(find("gpt2"), kCommitA);
}

TEST_F(HfCacheTest, SixDigitsAreTooFew) {
  add_model("org/name", kCommitB);
  EXPECT_EQ(find("org/name@abcdef"),
            "failure: the Hugging Face cache holds no revision 'abcdef' of 'org/name' (it holds '" +
                kCommitB +
                "'); finedelta never downloads: do it first, for example with `hf download "
                "org/name --revision abcdef`");
}

TEST_F(HfCacheTest, DigitsThatSeveralCommitsShareAreRefused) {
  add_model("org/name", kCommitB);
  add_model("org/name", kCommitC);
  EXPECT_EQ(find("org/name@abcdef1"),
            "failure: several revisions of 'org/name' in the Hugging Face cache begin with "
            "'abcdef1': '" +
                kCommitB + "', '" + kCommitC + "'; give more digits");
}

TEST_F(HfCacheTest, ARefWithoutItsSnapshotNamesThoseThatAreThere) {
  add_model("org/name", kCommitA);
  cache_.add_ref("org/name", "main", kCommitB);
  EXPECT_EQ(find("org/name"),
            "failure: the Hugging Face cache holds no revision 'main' of 'org/name' (it holds '" +
                kCommitA +
                "'); finedelta never downloads: do it first, for example with `hf download "
                "org/name`");
}

TEST_F(HfCacheTest, AModelWithoutSnapshots) {
  cache_.add_ref("org/name", "main", kCommitA);
  EXPECT_EQ(find("org/name"),
            "failure: the Hugging Face cache holds no revision 'main' of 'org/name' (it holds "
            "none); finedelta never downloads: do it first, for example with `hf download "
            "org/name`");
}

TEST_F(HfCacheTest, OnlyAFewRevisionsAreNamed) {
  for (char digit = '0'; digit <= '9'; ++digit) add_model("org/name", std::string(7, digit));
  EXPECT_EQ(find("org/name@no"),
            "failure: the Hugging Face cache holds no revision 'no' of 'org/name' (it holds "
            "'0000000', '1111111', '2222222', '3333333', '4444444', '5555555', '6666666', "
            "'7777777' and 2 more); finedelta never downloads: do it first, for example with `hf "
            "download org/name --revision no`");
}

TEST_F(HfCacheTest, AModelThatIsNotThere) {
  EXPECT_EQ(find("org/name@v1"),
            "failure: there is no file or directory 'org/name@v1', and no model of that name in "
            "the Hugging Face cache " +
                shown_cache() +
                "; finedelta never downloads: do it first, for example with `hf download org/name "
                "--revision v1`");
}

TEST_F(HfCacheTest, WhatIsNoNameIsNotLookedFor) {
  for (const char* argument :
       {"", "../x", "/a/b", "a/b/c", "org/name@", "org/name@../../x", "a@b@c", "org/name@a//b",
        "org/name@/a", "org/name@x y", "org/name@."}) {
    EXPECT_EQ(find(argument), "failure: there is no file or directory " + quote(argument) +
                                  ", and that is not the name of a model (org/name[@revision]) "
                                  "either");
  }
  EXPECT_THAT(find("org/name@" + std::string(256, 'a')), ::testing::EndsWith("either"));
}

TEST_F(HfCacheTest, ARefThatIsNoCommitIsRefused) {
  add_model("org/name", kCommitA);
  for (const char* content : {"../../../x", "..", "", "a\nb", "/etc", "a b", "a\n\n"}) {
    cache_.add_ref("org/name", "main", content);
    std::string held = content;
    if (held.ends_with('\n')) held.pop_back();
    EXPECT_EQ(find("org/name"),
              "damaged: " + quote(cache_.dir().path("models--org--name/refs/main")) +
                  " should hold a commit, but holds " + quote(held) +
                  "; remove it and download the model again");
  }
}

TEST_F(HfCacheTest, ALongRefIsRefused) {
  cache_.add_ref("org/name", "main", std::string(257, 'a'));
  EXPECT_EQ(find("org/name"),
            "damaged: " + quote(cache_.dir().path("models--org--name/refs/main")) +
                " has 257 bytes, more than the 256 that it may have");
}

TEST_F(HfCacheTest, ARefThatLeadsElsewhereIsRefused) {
  add_model("org/name", kCommitA);
  cache_.dir().write("secret", kCommitA);
  cache_.dir().link("models--org--name/refs/main", "../../secret");
  EXPECT_EQ(find("org/name"),
            "damaged: " + quote(cache_.dir().path("models--org--name/refs/main")) +
                " is a symbolic link out of its folder; remove it");
}

TEST_F(HfCacheTest, ARefThatIsAFifoIsRefused) {
  add_model("org/name", kCommitA);
  const std::string path = cache_.dir().make_directory("models--org--name/refs") + "/main";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(find("org/name"), "damaged: " + quote(path) + " is not a regular file");
}

TEST_F(HfCacheTest, ASnapshotThatIsALinkDoesNotCount) {
  cache_.dir().make_directory("elsewhere");
  cache_.dir().link(HfCacheDir::snapshot("org/name", kCommitA), "../../elsewhere");
  EXPECT_THAT(find("org/name@" + kCommitA), ::testing::HasSubstr("(it holds none)"));
  EXPECT_THAT(cached_snapshots({}), IsEmpty());
}

TEST_F(HfCacheTest, AFolderOfSnapshotsThatIsALinkDoesNotCount) {
  const TempDir elsewhere;
  elsewhere.make_directory(kCommitA);
  cache_.dir().link("models--org--name/snapshots", elsewhere.path());
  EXPECT_THAT(find("org/name@" + kCommitA), ::testing::HasSubstr("(it holds none)"));
}

TEST_F(HfCacheTest, ARefIsNotTakenForTheDigitsOfAnotherCommit) {
  add_model("org/name", kCommitB);
  cache_.add_ref("org/name", "abcdef1", kCommitA);
  EXPECT_THAT(find("org/name@abcdef1"), ::testing::HasSubstr("holds no revision 'abcdef1'"));
}

TEST_F(HfCacheTest, AFolderOfRefsIsNoRef) {
  add_model("org/name", kCommitA);
  cache_.add_ref("org/name", "refs/pr/1", kCommitA);
  EXPECT_THAT(find("org/name@refs/pr"), ::testing::HasSubstr("holds no revision 'refs/pr'"));
}

TEST_F(HfCacheTest, TheModelsFolderMayBeKeptElsewhere) {
  const TempDir elsewhere;
  elsewhere.write("store/snapshots/" + kCommitA + "/config.json", "{}");
  cache_.dir().link("models--org--name", elsewhere.path("store"));
  const auto snapshot = find_snapshot("org/name@aaaaaaa");
  ASSERT_EQ(error_text(snapshot), "no error");
  EXPECT_EQ(snapshot->path, elsewhere.path("store/snapshots/" + kCommitA));
  EXPECT_EQ(snapshot->storage, elsewhere.path("store"));
  EXPECT_EQ(snapshot->model, (ModelName{"org/name", kCommitA}));
}

TEST(SnapshotAround, ReadsNameAndRevisionFromAPath) {
  const auto snapshot = snapshot_around("/c/models--org--name/snapshots/123");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->model, (ModelName{"org/name", "123"}));
  EXPECT_EQ(snapshot->path, "/c/models--org--name/snapshots/123");
  EXPECT_EQ(snapshot->storage, "/c/models--org--name");
  const auto inner = snapshot_around("/models--gpt2/snapshots/123/unet/a.safetensors");
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->model, (ModelName{"gpt2", "123"}));
  EXPECT_EQ(inner->path, "/models--gpt2/snapshots/123");
}

TEST(SnapshotAround, TakesTheInnermostThatIsOne) {
  const auto one = snapshot_around("/models--a/snapshots/1/models--b/snapshots/2/x");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->model, (ModelName{"b", "2"}));
  const auto other = snapshot_around("/models--a/snapshots/snapshots/snapshots/2");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->model, (ModelName{"a", "snapshots"}));
}

TEST(SnapshotAround, OtherPathsAreNone) {
  for (const char* path :
       {"/", "/a/b", "/models--a--b", "/models--a--b/snapshots", "/models--a--b/snapshots/",
        "/models--a--b--c/snapshots/1", "/models----b/snapshots/1", "/models--a--/snapshots/1",
        "/snapshots/1", "/models--a..b/snapshots/1", "/models--a--b/blobs/1"}) {
    EXPECT_FALSE(snapshot_around(path)) << path;
  }
}

TEST_F(HfCacheTest, CachedSnapshotsBeginWithTheRecordedRevision) {
  add_model("org/name", kCommitA);
  add_model("org/name", kCommitB);
  add_model("other", kCommitC);
  cache_.dir().make_directory("not-a-model/snapshots/1");
  const auto path = [&](std::string_view model, const std::string& commit) {
    return cache_.dir().path(HfCacheDir::snapshot(model, commit));
  };
  EXPECT_THAT(cached_snapshots({"org/name", kCommitB}),
              ElementsAre(path("org/name", kCommitB), path("org/name", kCommitA)));
  EXPECT_THAT(cached_snapshots({"org/name", "gone"}),
              ElementsAre(path("org/name", kCommitA), path("org/name", kCommitB)));
  EXPECT_THAT(
      cached_snapshots({}),
      ElementsAre(path("org/name", kCommitA), path("org/name", kCommitB), path("other", kCommitC)));
  EXPECT_THAT(cached_snapshots({"missing/model", kCommitA}), IsEmpty());
}

TEST_F(HfCacheTest, CachedSnapshotsOfAHostileNameAreNone) {
  cache_.dir().make_directory("models--x/snapshots/1");
  EXPECT_THAT(cached_snapshots({"x", ""}), Not(IsEmpty()));
  for (const char* name : {"../x", "x/..", "/", "x/../x", "..", "x\n"}) {
    EXPECT_THAT(cached_snapshots({name, "1"}), IsEmpty()) << name;
  }
  EXPECT_THAT(cached_snapshots({"x", "../../secret"}),
              ElementsAre(cache_.dir().path("models--x/snapshots/1")));
}

}  // namespace
}  // namespace finedelta
