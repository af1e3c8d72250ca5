// What every registered coder that is not for lossy archives only owes: the same bytes back, and no
// harm from stored bytes that lie.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "coder/coder.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

using Buffer = std::vector<std::byte>;

enum class Content { kZeros, kPrediction, kNudged, kFew, kNoise, kNaN, kSameBytes };
constexpr Content kContents[] = {Content::kZeros,    Content::kPrediction, Content::kNudged,
                                 Content::kFew,      Content::kNoise,      Content::kNaN,
                                 Content::kSameBytes};
constexpr DType kDTypes[] = {DType::kU8,   DType::kF8E4M3, DType::kF8E5M2, DType::kI16,
                             DType::kBF16, DType::kF16,    DType::kF32,    DType::kF64};
constexpr size_t kCounts[] = {1, 2, 3, 127, 1001, 20'011};

std::string_view name_of(Content content) {
  constexpr std::string_view kNames[] = {"zeros", "prediction", "nudged",    "few",
                                         "noise", "NaN",        "same bytes"};
  return kNames[static_cast<size_t>(content)];
}

// Patterns of exponents that are all ones, quiet, signalling and infinite, in both signs.
Buffer nan_patterns(unsigned unit, size_t count) {
  constexpr uint64_t kPatterns[4][4] = {
      {0x7F, 0xFF, 0x78, 0xF9},
      {0x7FC0, 0xFF81, 0x7C00, 0xFE01},
      {0x7FC0'0000, 0xFF80'0001, 0x7F80'0000, 0xFFFF'FFFF},
      {0x7FF8'0000'0000'0000, 0xFFF0'0000'0000'0001, 0x7FF0'0000'0000'0000, ~uint64_t{0}}};
  const auto& patterns = kPatterns[std::countr_zero(unit)];
  Buffer bytes(unit * count);
  for (size_t i = 0; i < count; ++i) std::memcpy(&bytes[i * unit], &patterns[i * 7 % 4], unit);
  return bytes;
}

Buffer make_value(Content content, unsigned unit, size_t count, const Buffer& prediction) {
  const size_t size = unit * count;
  Buffer value(size);
  switch (content) {
    case Content::kZeros:
      break;
    case Content::kPrediction:
      value = prediction;
      break;
    case Content::kNudged:
      value = prediction;
      for (size_t i = 0; i < size; i += 5 * unit) value[i] ^= std::byte{1};
      break;
    case Content::kFew:
      value = prediction;
      for (size_t i = unit; i < size; i += 20 * unit) value[i] ^= std::byte{1};
      break;
    case Content::kNoise:
      value = pseudo_random_bytes(size, 7);
      break;
    case Content::kNaN:
      value = nan_patterns(unit, count);
      break;
    case Content::kSameBytes:
      std::ranges::fill(value, std::byte{0x3C});
      break;
  }
  return value;
}

// One chunk; its buffers have exactly its size, so that the address sanitizer sees their ends.
struct Chunk {
  Chunk(Content content, DType dtype, size_t count, bool predicted)
      : prediction(pseudo_random_bytes(dtype_unit(dtype) * count, 3)),
        value(make_value(content, dtype_unit(dtype), count, prediction)),
        input{dtype, value, predicted ? Bytes(prediction) : Bytes()},
        name(fmt::format("{}, {}, count {}, predicted {}", name_of(content), dtype_name(dtype),
                         count, predicted)) {}
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  const Buffer prediction;
  const Buffer value;
  const ChunkInput input;
  const std::string name;
};

// Calls `check(chunk)` for every kind of chunk, with counts up to `largest`.
template <typename Check>
void for_every_chunk(size_t largest, Check check) {
  for (const Content content : kContents) {
    for (const DType dtype : kDTypes) {
      for (const size_t count : kCounts) {
        if (count > largest) continue;
        for (const bool predicted : {false, true}) {
          const Chunk chunk(content, dtype, count, predicted);
          SCOPED_TRACE(chunk.name);
          check(chunk);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

class CoderTest : public testing::TestWithParam<Coder> {
 protected:
  // What the coder stores for the chunk; nothing where it does not fit.
  std::optional<Buffer> encoded(const Chunk& chunk) {
    if (!GetParam().analyze(chunk.input, scratch_)) return std::nullopt;
    Buffer stored;
    GetParam().encode(chunk.input, scratch_, stored);
    stored.shrink_to_fit();
    return stored;
  }

  Status decode(const Buffer& stored, const Chunk& chunk, Buffer& value) {
    value.assign(chunk.value.size(), std::byte{0xA5});
    return GetParam().decode(stored, chunk.input.dtype, chunk.input.prediction, value, scratch_);
  }

  // Refused as damaged, or decoded to something; never more than that.
  void expect_harmless(const Buffer& lie, const Chunk& chunk) {
    Buffer value;
    const Status status = decode(lie, chunk, value);
    ASSERT_EQ(value.size(), chunk.value.size());
    if (status.has_value()) return;
    ASSERT_EQ(status.error().code, ErrorCode::kDamaged);
    ASSERT_FALSE(status.error().message.empty());
  }

  CoderScratch scratch_;
};

std::vector<Coder> exact_coders() {
  std::vector<Coder> exact;
  std::ranges::copy_if(coders(), std::back_inserter(exact),
                       [](const Coder& coder) { return !coder.lossy; });
  return exact;
}

INSTANTIATE_TEST_SUITE_P(Coders, CoderTest, testing::ValuesIn(exact_coders()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(CoderTest, GivesTheSameBytesBack) {
  size_t accepted = 0;
  for_every_chunk(kCounts[5], [&](const Chunk& chunk) {
    const auto stored = encoded(chunk);
    if (!stored) return;
    ++accepted;
    Buffer value;
    const Status status = decode(*stored, chunk, value);
    ASSERT_TRUE(status.has_value()) << status.error().message;
    ASSERT_EQ(value, chunk.value);
    ASSERT_EQ(encoded(chunk), stored) << "the same input gave other bytes";
  });
  EXPECT_GT(accepted, 0u);
}

TEST_P(CoderTest, AppendsToWhatIsThere) {
  const Chunk equal(Content::kPrediction, DType::kBF16, 1001, true);
  const Chunk few(Content::kFew, DType::kBF16, 1001, true);
  const Chunk& chunk = encoded(equal) ? equal : few;
  const auto alone = encoded(chunk);
  ASSERT_TRUE(alone.has_value());
  Buffer stored = {std::byte{1}, std::byte{2}};
  GetParam().encode(chunk.input, scratch_, stored);
  ASSERT_EQ(stored.size(), alone->size() + 2);
  EXPECT_EQ(stored[0], std::byte{1});
  EXPECT_EQ(stored[1], std::byte{2});
  EXPECT_TRUE(std::ranges::equal(Bytes(stored).subspan(2), *alone));
}

TEST_P(CoderTest, LooksAtThePredictionOnlyIfItSaysSo) {
  if (GetParam().uses_prediction) return;
  const Chunk chunk(Content::kNudged, DType::kBF16, 127, true);
  const auto stored = encoded(chunk);
  ASSERT_TRUE(stored.has_value());
  Buffer value(chunk.value.size());
  ASSERT_TRUE(GetParam().decode(*stored, DType::kBF16, {}, value, scratch_).has_value());
  EXPECT_EQ(value, chunk.value);
}

TEST_P(CoderTest, EveryTruncationIsRefused) {
  for_every_chunk(1001, [&](const Chunk& chunk) {
    const auto stored = encoded(chunk);
    if (!stored) return;
    const size_t step = stored->size() / 50 + 1;  // all of them where there are few
    for (size_t size = 0; size < stored->size(); size += size + 20 < stored->size() ? step : 1) {
      const Buffer cut(stored->begin(), stored->begin() + static_cast<ptrdiff_t>(size));
      Buffer value;
      const Status status = decode(cut, chunk, value);
      ASSERT_FALSE(status.has_value()) << size << " of " << stored->size() << " bytes";
      ASSERT_EQ(status.error().code, ErrorCode::kDamaged);
    }
  });
}

TEST_P(CoderTest, MoreThanWasStoredIsRefused) {
  for_every_chunk(127, [&](const Chunk& chunk) {
    auto stored = encoded(chunk);
    if (!stored) return;
    stored->push_back(std::byte{0});
    Buffer value;
    const Status status = decode(*stored, chunk, value);
    ASSERT_FALSE(status.has_value());
    ASSERT_EQ(status.error().code, ErrorCode::kDamaged);
  });
}

TEST_P(CoderTest, FlippedBitsAreHarmless) {
  std::mt19937 random(1);
  for_every_chunk(1001, [&](const Chunk& chunk) {
    const auto stored = encoded(chunk);
    if (!stored || stored->empty()) return;
    for (int i = 0; i < 40; ++i) {
      Buffer lie = *stored;
      // Half of them in the first bytes, where modes and sizes are.
      const size_t bits = 8 * (i % 2 == 0 ? std::min<size_t>(lie.size(), 16) : lie.size());
      const size_t bit = std::uniform_int_distribution<size_t>(0, bits - 1)(random);
      lie[bit / 8] ^= std::byte{1} << (bit % 8);
      ASSERT_NO_FATAL_FAILURE(expect_harmless(lie, chunk)) << "bit " << bit;
    }
  });
}

TEST_P(CoderTest, NoiseIsHarmless) {
  for_every_chunk(127, [&](const Chunk& chunk) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Buffer lie = pseudo_random_bytes(seed * chunk.value.size() / 10, seed);
      ASSERT_NO_FATAL_FAILURE(expect_harmless(lie, chunk)) << "seed " << seed;
    }
  });
}

TEST(EncodeChunk, NeverStoresMoreThanTheValue) {
  CoderScratch scratch;
  for_every_chunk(kCounts[5], [&](const Chunk& chunk) {
    Buffer stored = {std::byte{9}};  // kept: chunks are appended one after the other
    const Coder& coder = encode_chunk(chunk.input, scratch, stored);
    ASSERT_LE(stored.size() - 1, chunk.value.size());
    ASSERT_EQ(stored[0], std::byte{9});
    Buffer value(chunk.value.size());
    ASSERT_TRUE(coder
                    .decode(Bytes(stored).subspan(1), chunk.input.dtype, chunk.input.prediction,
                            value, scratch)
                    .has_value());
    ASSERT_EQ(value, chunk.value);
  });
}

TEST(EncodeChunk, NoiseIsStoredRawAndWhatIsPredictedNotAtAll) {
  CoderScratch scratch;
  Buffer stored;
  EXPECT_EQ(
      encode_chunk(Chunk(Content::kNoise, DType::kBF16, 1001, false).input, scratch, stored).name,
      "raw");
  EXPECT_EQ(stored.size(), 2002u);
  EXPECT_EQ(
      encode_chunk(Chunk(Content::kPrediction, DType::kBF16, 1001, true).input, scratch, stored)
          .name,
      "identical");
  EXPECT_EQ(stored.size(), 2002u);
}

}  // namespace
}  // namespace finedelta
