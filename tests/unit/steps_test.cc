#include "coder/steps/steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "base/adaptive_values.h"
#include "base/hash.h"
#include "kernels/cast_scalar.h"
#include "kernels/low_rank.h"
#include "support/error_text.h"
#include "support/float_types.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

using Buffer = std::vector<std::byte>;
using Numbers = std::vector<int16_t>;

// Mostly zeros, in every thousandth place a large number.
Numbers some_steps(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  Numbers steps(count);
  for (int16_t& step : steps) {
    const uint64_t chance = engine() % 1000;
    if (chance < 300) step = static_cast<int16_t>(engine() % 7) - 3;
    if (chance == 999) step = static_cast<int16_t>(static_cast<int>(engine() % 65535) - 32767);
  }
  return steps;
}

Buffer stored_of(const Numbers& steps, float scale, const StepsPlace& place) {
  Buffer stored;
  encode_steps(steps, scale, place, stored);
  return stored;
}

std::string decode(Bytes stored, DType dtype, Bytes prediction, MutableBytes value) {
  CoderScratch scratch;
  return error_text(decode_steps(stored, dtype, prediction, value, scratch));
}

// By the words of spec.md, one unit after another.
template <class Type>
void expect_moved(Bytes prediction, const Numbers& steps, float scale, Bytes value) {
  using Bits = typename Type::Bits;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Bits before = load<Bits>(prediction.data() + i * sizeof(Bits));
    const float wide = std::bit_cast<float>(Type::widen(before));
    const float product = static_cast<float>(steps[i]) * scale;
    const float sum = wide + product;
    const bool stays = steps[i] == 0 || !std::isfinite(wide);
    const Bits after = stays ? before : Type::narrow(std::bit_cast<uint32_t>(sum));
    ASSERT_EQ(load<Bits>(value.data() + i * sizeof(Bits)), after) << "unit " << i;
  }
}

void expect_moved(DType dtype, Bytes prediction, const Numbers& steps, float scale, Bytes value) {
  if (dtype == DType::kF16) expect_moved<scalar::F16>(prediction, steps, scale, value);
  if (dtype == DType::kBF16) expect_moved<scalar::BF16>(prediction, steps, scale, value);
  if (dtype == DType::kF32) expect_moved<scalar::F32>(prediction, steps, scale, value);
}

class StepsTest : public OnEveryTarget {};

// The predictions are any bits: NaNs, infinities, subnormal numbers and zeros of both signs too.
TEST_P(StepsTest, MoveThePrediction) {
  for (const DType dtype : kCastableTypes) {
    for (const size_t count : {1, 7, 1023, 1024, 1025, 5000}) {
      for (const float scale : {0x1p-100f, 0x1.8p-9f, 0x1.fffffep63f}) {
        SCOPED_TRACE(testing::Message() << dtype_name(dtype) << ", " << count << ", " << scale);
        const ExactBytes prediction(pseudo_random_bytes(count * dtype_unit(dtype), count));
        const Numbers steps = some_steps(count, count);
        const Buffer stored = stored_of(steps, scale, {.columns = 300, .first = 299});
        Buffer value(count * dtype_unit(dtype));
        const Buffer before = prediction.copy();
        EXPECT_EQ(decode(stored, dtype, {prediction.data(), value.size()}, value), "no error");
        expect_moved(dtype, before, steps, scale, value);
        const Buffer zeros(value.size());
        EXPECT_EQ(decode(stored, dtype, {}, value), "no error");
        expect_moved(dtype, zeros, steps, scale, value);
      }
    }
  }
}

FINEDELTA_ON_EVERY_TARGET(StepsTest);

// What a chunk of one number, or of that and a zero, becomes.
template <class Bits>
Bits moved(DType dtype, Bits prediction, int16_t steps, float scale) {
  Bits value = 0;
  apply_steps(dtype, std::as_bytes(std::span(&prediction, 1)), std::span(&steps, 1), scale,
              std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

TEST(Steps, KeepWhatTheyDoNotMove) {
  for (const int16_t steps : std::initializer_list<int16_t>{0, 1, -32767}) {
    for (const uint16_t special : std::initializer_list<uint16_t>{0x7C00, 0xFC00, 0x7C01, 0xFE00}) {
      EXPECT_EQ(moved<uint16_t>(DType::kF16, special, steps, 1), special);
    }
    for (const uint32_t special : {0x7F800000u, 0xFF800000u, 0x7F800001u, 0xFFC00000u}) {
      EXPECT_EQ(moved<uint32_t>(DType::kF32, special, steps, 1), special);
    }
  }
  EXPECT_EQ(moved<uint32_t>(DType::kF32, 0x80000000, 0, 1), 0x80000000);
  EXPECT_EQ(moved<uint16_t>(DType::kBF16, 0x8000, 0, 1), 0x8000);
}

TEST(Steps, RoundAsTheSpecificationSays) {
  EXPECT_EQ(moved<uint32_t>(DType::kF32, 0xBF000000, 1, 0.5f), 0u);  // no -0
  EXPECT_EQ(moved<uint32_t>(DType::kF32, 0x80000000, 1, 0.5f), 0x3F000000u);
  EXPECT_EQ(moved<uint16_t>(DType::kBF16, 0x4380, 2, 0.5f), 0x4380);  // a tie, to even
  EXPECT_EQ(moved<uint16_t>(DType::kBF16, 0x4380, 3, 0.5f), 0x4381);
  EXPECT_EQ(moved<uint16_t>(DType::kF16, 0x7BFF, 31, 0.5f), 0x7BFF);
  EXPECT_EQ(moved<uint16_t>(DType::kF16, 0x7BFF, 32, 0.5f), 0x7C00);
}

TEST(Steps, PlacesRoundTrip) {
  const Numbers steps = some_steps(1000, 5);
  const Buffer prediction(4000);
  Buffer expected(4000);
  apply_steps(DType::kF32, prediction, steps, 0.25f, expected);
  for (const StepsPlace place : {StepsPlace{1, 0},
                                 {1000, 0},
                                 {1000, 999},
                                 {999, 1},
                                 {7, 6},
                                 {1001, 1000},
                                 {uint64_t{1} << 40, 12345}}) {
    Buffer value(4000);
    EXPECT_EQ(decode(stored_of(steps, 0.25f, place), DType::kF32, prediction, value), "no error");
    EXPECT_EQ(value, expected) << place.columns;
  }
}

// The example of spec.md.
TEST(Steps, WriteTheExample) {
  const Buffer stored = stored_of({1, 0, 0, -2, 0, 0, 3, 0}, 0x1p-10f, {.columns = 4, .first = 2});
  constexpr uint8_t kExpected[] = {0x00, 0x00, 0x80, 0x3a, 0x04, 0x02, 0x4d, 0xc1, 0x90, 0x20};
  EXPECT_TRUE(std::ranges::equal(stored, std::as_bytes(std::span(kExpected))));
  std::vector<float> ones(8, 1.0f);
  std::vector<float> value(8);
  EXPECT_EQ(decode(stored, DType::kF32, std::as_bytes(std::span(ones)),
                   std::as_writable_bytes(std::span(value))),
            "no error");
  EXPECT_THAT(value, testing::ElementsAre(1 + 0x1p-10f, 1, 1, 1 - 0x1p-9f, 1, 1, 1 + 0x3p-10f, 1));
}

// The same on every machine and in every release of this format.
TEST(Steps, WriteWhatTheyWrote) {
  const Buffer stored = stored_of(some_steps(100'000, 9), 0x1p-10f, {.columns = 768, .first = 55});
  EXPECT_EQ(stored.size(), 25563u);
  EXPECT_EQ(xxh3_64(stored), 2950183970485025824u);
}

std::string refusal(float scale, uint64_t columns, uint64_t first, std::string_view stream,
                    size_t units = 64, DType dtype = DType::kBF16) {
  ByteWriter out;
  out.u32(std::bit_cast<uint32_t>(scale));
  out.varint(columns);
  out.varint(first);
  out.bytes(as_bytes(stream));
  Buffer value(units * dtype_unit(dtype));
  return decode(out.view(), dtype, Buffer(value.size()), value);
}

TEST(Steps, RefuseNumbersOutOfBounds) {
  const std::string scale = "damaged: steps: the scale is out of its range";
  const float too_small = std::bit_cast<float>(kSmallestLowRankScale - 1);
  for (const float wrong : {too_small, 0x1p64f, 0.0f, -1.0f, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(refusal(wrong, 8, 0, "\x40"), scale) << wrong;
  }
  EXPECT_EQ(refusal(0x1p-100f, 8, 0, "\x40"), "no error");
  EXPECT_EQ(refusal(0x1.fffffep63f, 64, 63, "\x40"), "no error");
  const std::string columns = "damaged: steps: no columns, or more than values";
  EXPECT_EQ(refusal(1, 0, 0, "\x40"), columns);
  EXPECT_EQ(refusal(1, 65, 0, "\x40"), columns);
  EXPECT_EQ(refusal(1, ~uint64_t{0}, 0, "\x40"), columns);
  const std::string first = "damaged: steps: the first column is out of its range";
  EXPECT_EQ(refusal(1, 64, 64, "\x40"), first);
  EXPECT_EQ(refusal(1, 1, ~uint64_t{0}, "\x40"), first);
}

TEST(Steps, RefuseOtherTypes) {
  for (const DType dtype : {DType::kU8, DType::kF8E4M3, DType::kI16, DType::kI32, DType::kF64}) {
    EXPECT_EQ(refusal(1, 8, 0, "\x40", 64, dtype), "damaged: steps: not for this type");
  }
}

TEST(Steps, RefuseStreamsThatAreNone) {
  const std::string behind = "damaged: steps: bytes behind the end";
  EXPECT_EQ(refusal(1, 8, 0, ""), "damaged: steps: cut short");
  EXPECT_EQ(refusal(1, 8, 0, "\x40", kMostAdaptiveValues), "no error");
  EXPECT_EQ(refusal(1, 8, 0, "\x40", kMostAdaptiveValues + 1), "damaged: steps: cut short");
  EXPECT_EQ(refusal(1, 8, 0, std::string("\x40\0", 2)), behind);
  EXPECT_EQ(refusal(1, 8, 0, std::string(500, '\x40')), behind);
  EXPECT_EQ(refusal(1, 8, 0, std::string(500, '\xff')), "damaged: steps: a value is too large");
  Buffer value(8);
  for (size_t size = 0; size < 6; ++size) {
    EXPECT_EQ(decode(Buffer(size, std::byte{0x3A}), DType::kBF16, {}, value).substr(0, 8),
              "damaged:");
  }
}

// Whatever decodes has an encoding that decodes to the same.
TEST(Steps, RandomBytesAreRefusedOrDecode) {
  std::mt19937_64 engine(1);
  size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const size_t units = 1 + engine() % 60;
    Buffer stored = stored_of({1}, 0x1p-10f, {});
    stored.resize(6);
    stored[4] = static_cast<std::byte>(1 + engine() % 8);
    if (engine() % 16 == 0) stored[engine() % 6] = static_cast<std::byte>(engine());
    for (uint64_t size = engine() % 30; size > 0; --size) {
      stored.push_back(static_cast<std::byte>(engine() >> (engine() % 56)));
    }
    Buffer value(units * 4);
    CoderScratch scratch;
    if (!decode_steps(stored, DType::kF32, {}, value, scratch)) {
      ++refused;
      continue;
    }
    Buffer again(value.size());
    const auto scale = load<float>(stored.data());
    EXPECT_EQ(decode(stored_of(scratch.steps, scale, {.columns = units}), DType::kF32, {}, again),
              "no error");
    EXPECT_EQ(again, value);
  }
  EXPECT_GT(refused, 100u);
  EXPECT_LT(refused, 2900u);
}

TEST(Steps, AreNeverChosen) {
  CoderScratch scratch;
  const Buffer value(100);
  const ChunkInput chunk{.dtype = DType::kF32, .value = value, .prediction = value};
  EXPECT_FALSE(kStepsCoder.analyze(chunk, scratch));
  Buffer stored;
  kStepsCoder.encode(chunk, scratch, stored);
  EXPECT_TRUE(stored.empty());
}

}  // namespace
}  // namespace finedelta
