#include <gtest/gtest.h>

#include "checkpoint/model_name.h"

namespace finedelta {
namespace {

TEST(ModelNames, AreThoseOfTheHub) {
  for (const char* name : {"gpt2", "org/name", "Org-1/na.me_2", "_a_/b", "0/1"}) {
    EXPECT_TRUE(is_model_name(name)) << name;
  }
  for (const char* name :
       {"",   "/",  "a/", "/a", "a/b/c", "..",  "../x",        "a/..", "a..b", "a--b",
        ".a", "a.", "-a", "a-", "a b",   "a\n", "caf\xc3\xa9", "a@b",  "a\\b", "~"}) {
    EXPECT_FALSE(is_model_name(name)) << name;
  }
  EXPECT_TRUE(is_model_name(std::string(96, 'a')));
  EXPECT_FALSE(is_model_name(std::string(97, 'a')));
  EXPECT_FALSE(is_model_name(std::string_view("a\0b", 3)));
}

TEST(CommitNames, AreOnePartOfAPath) {
  for (const char* name : {"a", "0123abc", "...", "-", "v1.0"}) {
    EXPECT_TRUE(is_commit_name(name)) << name;
  }
  for (const char* name : {"", ".", "..", "a/b", "a b", "a\n", "\xff"}) {
    EXPECT_FALSE(is_commit_name(name)) << name;
  }
}

TEST(Revisions, AreCommitNamesBetweenSlashes) {
  for (const char* revision : {"main", "refs/pr/1", "0123abc"}) {
    EXPECT_TRUE(is_revision(revision)) << revision;
  }
  for (const char* revision : {"", "/", "a/", "/a", "a//b", "../a", "a/..", "a/./b"}) {
    EXPECT_FALSE(is_revision(revision)) << revision;
  }
  EXPECT_TRUE(is_revision(std::string(255, 'a')));
  EXPECT_FALSE(is_revision(std::string(256, 'a')));
}

TEST(ModelFolders, StandForOneNameEach) {
  EXPECT_EQ(folder_of_model("org/na-me.x"), "models--org--na-me.x");
  EXPECT_EQ(folder_of_model("gpt2"), "models--gpt2");
  EXPECT_EQ(model_of_folder("models--org--na-me.x"), "org/na-me.x");
  EXPECT_EQ(model_of_folder("models--gpt2"), "gpt2");
  for (const char* folder : {"", "models--", "models--a--", "models----a", "models--a--b--c",
                             "models--a---b", "models--a..b", "datasets--a--b", "models-a"}) {
    EXPECT_EQ(model_of_folder(folder), std::nullopt) << folder;
  }
}

}  // namespace
}  // namespace finedelta
