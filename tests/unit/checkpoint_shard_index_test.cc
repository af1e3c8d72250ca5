#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>

#include "base/error.h"
#include "checkpoint/shard_index.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace finedelta {
namespace {

class ShardIndexTest : public ::testing::Test {
 protected:
  // What is wrong with an index of this content, after the file's name.
  std::string wrong(std::string_view json, std::string_view directory = "") {
    const std::string file = dir_.write("model.safetensors.index.json", json);
    const std::string text = error_text(check_shard_index(file, directory, shards_));
    const std::string start = "damaged: the shard index " + quote(file) + " ";
    return text.starts_with(start) ? text.substr(start.size()) : text;
  }

  TempDir dir_;
  const ShardTensors shards_ = {{"1.safetensors", {"a", "b"}},
                                {"2.safetensors", {"c", "na\"me"}},
                                {"unet/1.safetensors", {"u"}}};
};

TEST_F(ShardIndexTest, ASoundIndex) {
  EXPECT_EQ(wrong(R"({"metadata":{"total_size":12,"x":[1,-2,3.5,null,true,{"y":"z"}]},
                      "weight_map":{"a":"1.safetensors","b":"1.safetensors",
                                    "c":"2.safetensors","na\"me":"2.safetensors"},
                      "more":"text"})"),
            "no error");
  EXPECT_EQ(wrong(R"({"weight_map":{}})"), "no error");
}

TEST_F(ShardIndexTest, ShardsAreLookedForBesideTheIndex) {
  EXPECT_EQ(wrong(R"({"weight_map":{"u":"1.safetensors"}})", "unet"), "no error");
  EXPECT_EQ(wrong(R"({"weight_map":{"u":"unet/1.safetensors"}})"), "no error");
  EXPECT_EQ(wrong(R"({"weight_map":{"c":"2.safetensors"}})", "unet"),
            "says that tensor 'c' is in '2.safetensors', but there is no such shard");
}

TEST_F(ShardIndexTest, ATensorThatTheShardDoesNotHold) {
  EXPECT_EQ(wrong(R"({"weight_map":{"a":"1.safetensors","c":"1.safetensors"}})"),
            "says that tensor 'c' is in '1.safetensors', which does not hold it");
}

TEST_F(ShardIndexTest, AShardThatIsMissing) {
  EXPECT_EQ(wrong(R"({"weight_map":{"a\u001b":"3.safetensors"}})"),
            "says that tensor 'a\\x1b' is in '3.safetensors', but there is no such shard");
}

TEST_F(ShardIndexTest, AShardOutsideTheFolder) {
  for (const char* shard : {"../1.safetensors", "/1.safetensors", "", "unet/../1.safetensors",
                            "./1.safetensors", "unet//1.safetensors", "..", "1.safetensors/"}) {
    EXPECT_EQ(wrong(fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", shard)),
              fmt::format("says that tensor 'a' is in '{}', which is not below the index's folder",
                          shard));
  }
}

TEST_F(ShardIndexTest, WhatIsNotJsonIsNamedWithItsPlace) {
  EXPECT_EQ(wrong(""), "is not valid JSON at byte 0");
  EXPECT_EQ(wrong(R"({"weight_map":{)"), "is not valid JSON at byte 15");
  EXPECT_EQ(wrong(R"({"weight_map":{}},)"), "is not valid JSON at byte 17");
  EXPECT_EQ(wrong("{\"a\":\"\xff\"}"), "is not valid JSON at byte 6");
  EXPECT_EQ(wrong(R"({"a":1e999})"), "is not valid JSON at byte 9");
  EXPECT_EQ(wrong(std::string(20, '\0')), "is not valid JSON at byte 0");
}

TEST_F(ShardIndexTest, WhatIsJsonButNoIndex) {
  EXPECT_EQ(wrong("[]"), "is not a JSON object");
  EXPECT_EQ(wrong("7"), "is not a JSON object");
  EXPECT_EQ(wrong("{}"), "has no \"weight_map\"");
  EXPECT_EQ(wrong(R"({"metadata":{"weight_map":{"x":"y"}}})"), "has no \"weight_map\"");
  EXPECT_EQ(wrong(R"({"weight_map":["a"]})"), "has a \"weight_map\" that is no object");
  EXPECT_EQ(wrong(R"({"weight_map":"a"})"), "has a \"weight_map\" that is no object");
  EXPECT_EQ(wrong(R"({"weight_map":{"a":1}})"), "names no file for tensor 'a'");
  EXPECT_EQ(wrong(R"({"weight_map":{"a":["1.safetensors"]}})"), "names no file for tensor 'a'");
  EXPECT_EQ(wrong(R"({"weight_map":{"a":{}}})"), "names no file for tensor 'a'");
}

TEST_F(ShardIndexTest, ASecondWeightMapIsCheckedToo) {
  EXPECT_EQ(wrong(R"({"weight_map":{},"x":{"q":{}},"weight_map":{"a":"2.safetensors"}})"),
            "says that tensor 'a' is in '2.safetensors', which does not hold it");
}

TEST_F(ShardIndexTest, DeepNestingEnds) {
  const auto nested = [](size_t depth) {
    return R"({"weight_map":{},"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(wrong(nested(63)), "no error");
  EXPECT_EQ(wrong(nested(64)), "is nested more than 64 deep");
  EXPECT_EQ(wrong(nested(1'000'000)), "is nested more than 64 deep");
}

TEST_F(ShardIndexTest, ALargeFileIsRefusedUnread) {
  const std::string file = dir_.write("huge.safetensors.index.json", "");
  std::filesystem::resize_file(file, kLargestShardIndex + 1);
  EXPECT_EQ(
      error_text(check_shard_index(file, "", shards_)),
      "damaged: " + quote(file) + " has 67108865 bytes, more than the 67108864 that it may have");
}

TEST_F(ShardIndexTest, AFileThatCannotBeOpenedIsAFailure) {
  EXPECT_EQ(error_text(check_shard_index(dir_.path("gone"), "", shards_)),
            "failure: cannot open " + quote(dir_.path("gone")) + ": No such file or directory");
}

TEST_F(ShardIndexTest, AnyBytesAreEitherFineOrDamaged) {
  const std::string sound = R"({"m":[1],"weight_map":{"a":"1.safetensors","c":"2.safetensors"}})";
  const bool ok = rc::check("one byte changed", [&] {
    std::string text = sound;
    text[*rc::gen::inRange<size_t>(0, text.size())] = *rc::gen::arbitrary<char>();
    const std::string result = wrong(text);
    RC_ASSERT(!result.empty());
    RC_ASSERT(!result.starts_with("failure"));
  });
  EXPECT_TRUE(ok);
}

TEST(IsShardIndex, GoesByTheName) {
  EXPECT_TRUE(is_shard_index("model.safetensors.index.json"));
  EXPECT_TRUE(is_shard_index("unet/x.fp16.safetensors.index.json"));
  EXPECT_FALSE(is_shard_index("pytorch_model.bin.index.json"));
  EXPECT_FALSE(is_shard_index("model.safetensors.index.json.bak"));
}

}  // namespace
}  // namespace finedelta
