// Every compared coder gives the fine-tune back, whatever it holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "codec.h"
#include "support/error_text.h"
#include "unit/pseudo_random.h"

namespace finedelta::bench {
namespace {

using Buffer = std::vector<std::byte>;

constexpr DType kDTypes[] = {DType::kU8,  DType::kF8E4M3, DType::kF16, DType::kBF16,
                             DType::kI16, DType::kF32,    DType::kF64};
// None, one, ends of vectors and blocks, more than a chunk.
constexpr size_t kCounts[] = {0, 1, 3, 127, 2048, 5001, 300'001};

CodecEntry entry_of(std::string_view name) {
  const std::vector<CodecEntry> codecs = all_codecs();
  return *std::ranges::find(codecs, name, &CodecEntry::name);
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const CodecEntry& codec : all_codecs()) names.push_back(codec.name);
  return names;
}

class CodecTest : public testing::TestWithParam<std::string> {
 protected:
  void expect_exact(const std::vector<Part>& parts, const Buffer& base, const Buffer& value) {
    Sink stored;
    codec_->encode(parts, base, value, stored);
    // Exactly as long as they are, so that the address sanitizer sees their ends.
    const Buffer copy(stored.view().begin(), stored.view().end());
    Buffer result(value.size(), std::byte{0xA5});
    EXPECT_EQ(error_text(codec_->decode(parts, base, copy, result)), "no error");
    EXPECT_TRUE(result == value);
  }

  std::unique_ptr<Codec> codec_ = entry_of(GetParam()).make();
};

std::string test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Codecs, CodecTest, testing::ValuesIn(all_names()), test_name);

// Steps of a few units, up and down, across zero too.
Buffer nudged(Buffer value, unsigned unit) {
  std::mt19937 random(1);
  for (size_t i = 0; i + unit <= value.size(); i += unit) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value[i], unit);
    bits += random() % 7 - 3;
    std::memcpy(&value[i], &bits, unit);
  }
  return value;
}

TEST_P(CodecTest, GivesEverySizeAndTypeBack) {
  for (const DType dtype : kDTypes) {
    for (const size_t count : kCounts) {
      SCOPED_TRACE(std::string(dtype_name(dtype)) + ", " + std::to_string(count));
      const size_t size = count * dtype_unit(dtype);
      const Buffer base = pseudo_random_bytes(size, 1);
      const std::vector<Part> predicted = {{dtype, 0, size, 0}};
      expect_exact(predicted, base, base);
      expect_exact(predicted, base, nudged(base, dtype_unit(dtype)));
      expect_exact(predicted, base, pseudo_random_bytes(size, 2));
      expect_exact(predicted, Buffer(size), Buffer(size));
      expect_exact({{dtype, 0, size, std::nullopt}}, {}, base);
    }
  }
}

TEST_P(CodecTest, GivesEveryPatternOf16BitsBack) {
  Buffer all(size_t{2} << 16);
  for (uint32_t i = 0; i < 1u << 16; ++i) store(&all[size_t{2} * i], static_cast<uint16_t>(i));
  // Each pattern, NaN and infinities among them, from its successor and from one far away.
  for (const size_t shift : {size_t{2}, size_t{2} * 0x7FC1}) {
    Buffer base = all;
    std::ranges::rotate(base, base.begin() + static_cast<ptrdiff_t>(shift));
    for (const DType dtype : {DType::kBF16, DType::kF16}) {
      expect_exact({{dtype, 0, all.size(), 0}}, base, all);
    }
  }
}

TEST_P(CodecTest, GivesNaNsOf32BitsBack) {
  constexpr uint32_t kPatterns[] = {0x7FC0'0000, 0xFF80'0001, 0x7F80'0000, 0xFFFF'FFFF,
                                    0x8000'0000, 0x0000'0000, 0x0000'0001, 0x7FBF'FFFF};
  Buffer base(256), value(256);
  for (size_t i = 0; i < 64; ++i) {
    store(&base[4 * i], kPatterns[i / 8]);
    store(&value[4 * i], kPatterns[i % 8]);
  }
  expect_exact({{DType::kF32, 0, value.size(), 0}}, base, value);
}

TEST_P(CodecTest, KeepsPartsApart) {
  const Buffer base = pseudo_random_bytes(6000, 1), value = pseudo_random_bytes(9000, 2);
  expect_exact({{DType::kBF16, 0, 2000, 4000},
                {DType::kF32, 2000, 4000, 0},
                {DType::kBF16, 6000, 0, 0},
                {DType::kU8, 6000, 3000, std::nullopt}},
               base, value);
}

TEST_P(CodecTest, EveryRunStoresTheSame) {
  const Buffer base = pseudo_random_bytes(100'000, 1), value = nudged(base, 2);
  const std::vector<Part> parts = {{DType::kBF16, 0, value.size(), 0}};
  Sink first, second;
  codec_->encode(parts, base, value, first);
  codec_->encode(parts, base, value, second);
  EXPECT_TRUE(std::ranges::equal(first.view(), second.view()));
}

// What each reference must reach on a pair that it was made for, in bits a weight.
TEST(References, StoreWhatTheirSchemesPromise) {
  // A quarter of the weights one unit up, the others the same: 0.811 bits of information.
  constexpr size_t kCount = 1 << 18;
  Buffer base = pseudo_random_bytes(2 * kCount, 1), value = base;
  std::mt19937 random(1);
  for (size_t i = 0; i < kCount; ++i) {
    const auto bits = static_cast<uint16_t>(load<uint16_t>(&base[2 * i]) & 0x7FF0);
    store(&base[2 * i], bits);
    store(&value[2 * i], static_cast<uint16_t>(bits + (random() % 4 == 0 ? 1 : 0)));
  }
  const std::vector<Part> parts = {{DType::kBF16, 0, value.size(), 0}};
  const auto bits_per_weight = [&](std::string_view name) {
    Sink stored;
    entry_of(name).make()->encode(parts, base, value, stored);
    return 8.0 * static_cast<double>(stored.view().size()) / kCount;
  };
  EXPECT_NEAR(bits_per_weight("fm-delta"), 0.811, 0.02);
  // zstd takes for matches what is none on such a plane.
  EXPECT_NEAR(bits_per_weight("bitx"), 1.2, 0.4);
  EXPECT_NEAR(bits_per_weight("tensorx"), 1.2, 0.4);
  EXPECT_GT(bits_per_weight("zstd"), 8.0);
  EXPECT_NEAR(bits_per_weight("memcpy"), 16.0, 0.01);
}

}  // namespace
}  // namespace finedelta::bench
