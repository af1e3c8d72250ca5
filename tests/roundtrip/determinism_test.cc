// The same archive, and the same files from it, whatever the threads, memory and CPU.

#include <zstd.h>

#include "base/hash.h"
#include "kernels/target.h"
#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

// A pair with all that an archive can hold: several bases, matches, chunks, side files.
class RoundtripDeterminism : public Roundtrip {
 protected:
  RoundtripDeterminism() {
    const std::vector<TestTensor> base = {make_tensor("embed", DType::kBF16, {9000, 64}, 1),
                                          make_tensor("f32", DType::kF32, {100, 64}, 2),
                                          make_tensor("f16", DType::kF16, {100, 64}, 3),
                                          make_tensor("f64", DType::kF64, {20, 64}, 4),
                                          make_tensor("u8", DType::kU8, {300000}, 5),
                                          make_tensor("shrunk", DType::kBF16, {600, 1000}, 6)};
    std::vector<TestTensor> newer = tuned(base);
    newer.push_back(renamed(tuned(base[0], 9), "lm_head"));
    newer.push_back(make_tensor("added", DType::kBF16, {50, 50}, 6));
    newer[1] = {"f32", DType::kBF16, {100, 64}, convert_f32(DType::kBF16, newer[1].bytes)};
    const TestTensor second = make_tensor("second", DType::kF32, {100, 64}, 7);
    newer.push_back(tuned(second));
    const TestTensor other = make_tensor("f16", DType::kF32, {100, 64}, 8);
    newer[2] = tuned(sum(0.37f, base[2], 0.59f, other, DType::kF16));
    newer[5] = tuned(multiple(0.93f, base[5], DType::kF32));
    (void)write_shard("base/model.safetensors", base);
    (void)write_shard("second.safetensors", {second, other});
    (void)write_shard("tuned/a.safetensors", {newer.begin(), newer.begin() + 3});
    (void)write_shard("tuned/b.safetensors", {newer.begin() + 3, newer.end()});
    const std::string text = letters(3000000);
    dir_.write("base/tokenizer.json", text);
    dir_.write("tuned/tokenizer.json", "inserted" + text);
    dir_.write("tuned/stored.json", text.substr(0, 1500000));
    dir_.write("tuned/config.json", "{}");
  }

  static std::string letters(size_t size) {
    std::string out = noise(size, 1);
    for (char& letter : out) letter = static_cast<char>('a' + (letter & 15));
    return out;
  }

  std::string archive_with(unsigned threads, uint64_t memory) {
    options_.threads = threads;
    options_.memory = memory;
    EXPECT_EQ(error_text(try_pack(bases_, fine_tune_)), "no error");
    return read_file(archive_);
  }

  void expect_unpacks_with(unsigned threads, uint64_t memory) {
    UnpackOptions options;
    options.threads = threads;
    options.memory = memory;
    options.force = true;
    ASSERT_EQ(error_text(unpack(bases_, archive_, dir_.path("out"), options)), "no error");
    expect_equal(fine_tune_, dir_.path("out"));
  }

  const std::vector<std::string> bases_ = {dir_.path("base"), dir_.path("second.safetensors")};
  const std::string fine_tune_ = dir_.path("tuned");
};

TEST_F(RoundtripDeterminism, AnyThreadsAndMemory) {
  const std::string expected = archive_with(1, kDefaultMemory);
  const auto summary = inspect(archive_);
  EXPECT_EQ(matches(*summary)["lm_head"], "tied from embed");
  EXPECT_THAT(predictors(*summary), testing::IsSupersetOf({"base", "scaled", "combination"}));
  for (const unsigned threads : {1, 2, 7}) {
    for (const uint64_t memory : {kLeastMemory, kDefaultMemory}) {
      SCOPED_TRACE(threads);
      EXPECT_TRUE(archive_with(threads, memory) == expected);
      expect_unpacks_with(threads, memory);
    }
  }
}

TEST_F(RoundtripDeterminism, AnyTarget) {
  const std::string before = active_target();
  const std::string expected = archive_with(2, kDefaultMemory);
  for (const std::string& target : supported_targets()) {
    SCOPED_TRACE(target);
    ASSERT_TRUE(force_target(target).has_value());
    EXPECT_TRUE(archive_with(2, kDefaultMemory) == expected);
    expect_unpacks_with(2, kDefaultMemory);
  }
  ASSERT_TRUE(force_target(before).has_value());
}

TEST_F(RoundtripDeterminism, NoPathIsInTheArchive) {
  const std::string expected = archive_with(2, kDefaultMemory);
  const auto here = dir_.path("elsewhere");
  std::filesystem::create_directory(here);
  std::filesystem::rename(dir_.path("base"), here + "/base");
  std::filesystem::rename(dir_.path("tuned"), here + "/tuned");
  ASSERT_EQ(
      error_text(try_pack({here + "/base", dir_.path("second.safetensors")}, here + "/tuned")),
      "no error");
  EXPECT_TRUE(read_file(archive_) == expected);
}

// The same bytes from every compiler. Another zstd may make others.
TEST_F(RoundtripDeterminism, TheGoldenArchive) {
  if (std::string(ZSTD_versionString()) != "1.5.4") {
    GTEST_SKIP() << "made with zstd 1.5.4; this is " << ZSTD_versionString();
  }
  const std::string archive = archive_with(2, kDefaultMemory);
  EXPECT_EQ(to_hex(xxh3_128(as_bytes(archive)).bytes), "f019fc71d79636b92b893db21b90222f");
}

}  // namespace
}  // namespace finedelta
