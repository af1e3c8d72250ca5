#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/residual.h"
#include "kernels/residual_scalar.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr size_t kBehindLarge = 64;  // what values_of_symbols may read there

// Calls `call` with a value of the type of each unit.
template <typename Call>
void for_every_unit(Call call) {
  call(uint8_t{});
  call(uint16_t{});
  call(uint32_t{});
}

std::vector<size_t> interesting_counts() {
  std::vector<size_t> counts(300);
  std::iota(counts.begin(), counts.end(), size_t{0});
  for (const size_t count : {511, 512, 513, 2048, 5003}) counts.push_back(count);
  return counts;
}

// Predictions, and values of which many are near them, on both sides of zero.
template <typename T>
struct ResidualPair {
  ResidualPair(size_t count, uint64_t seed)
      : prediction(pseudo_random_bytes(count * sizeof(T), seed), 1 + count % 5),
        value(pseudo_random_bytes(count * sizeof(T), seed + 1), 1 + count % 7) {
    for (size_t i = 0; i < count; ++i) {
      std::byte* const p = prediction.data() + i * sizeof(T);
      if (i % 5 == 0) store(p, static_cast<T>(load<T>(p) & static_cast<T>(scalar::kSign<T> | 3)));
      if (i % 3 == 0) continue;
      const auto step = static_cast<T>(load<T>(value.data() + i * sizeof(T)) % 48 - 24);
      store(value.data() + i * sizeof(T), scalar::apply_difference(load<T>(p), step));
    }
  }

  ExactBytes prediction;
  ExactBytes value;
};

using ResidualKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(ResidualKernel);

template <typename T>
void check_differences(size_t count) {
  SCOPED_TRACE(testing::Message() << count << " units of " << sizeof(T));
  const ResidualPair<T> pair(count, count);
  ExactBytes expected(count * sizeof(T));
  scalar::make_differences<T>(pair.value.data(), pair.prediction.data(), 0, count, expected.data());
  ExactBytes differences(count * sizeof(T), 1 + count % 3);
  make_differences(sizeof(T), pair.value.data(), pair.prediction.data(), count, differences.data());
  ASSERT_EQ(differences.copy(), expected.copy());

  ExactBytes expected_symbols(count);
  scalar::symbols_of_differences<T>(differences.data(), 0, count, expected_symbols.symbols());
  ExactBytes symbols(count, 1 + count % 6);
  symbols_of_differences(sizeof(T), differences.data(), count, symbols.symbols());
  ASSERT_EQ(symbols.copy(), expected_symbols.copy());

  std::vector<std::byte> large;
  for (size_t i = 0; i < count; ++i) {
    if (symbols.symbols()[i] < kLargeDifference) continue;
    const std::byte* const difference = differences.data() + i * sizeof(T);
    large.insert(large.end(), difference, difference + sizeof(T));
  }
  const size_t wanted = large.size() / sizeof(T);
  large.resize(large.size() + kBehindLarge);
  const ExactBytes exact_large(large);
  ExactBytes value(count * sizeof(T), 1 + count % 4);
  ASSERT_EQ(values_of_symbols(sizeof(T), symbols.symbols(), exact_large.data(),
                              pair.prediction.data(), count, value.data()),
            wanted);
  ASSERT_EQ(value.copy(), pair.value.copy());
}

TEST_P(ResidualKernel, DifferencesEqualTheReferenceAndGiveTheValuesBack) {
  for (const size_t count : interesting_counts()) {
    for_every_unit([&]<typename T>(T) { check_differences<T>(count); });
    if (HasFatalFailure()) return;
  }
}

// Of every value from one prediction: so many different differences as there are values, since each
// gives its value back.
template <typename T>
void check_all_values(T prediction) {
  constexpr size_t kCount = size_t{1} << 8 * sizeof(T);
  ExactBytes value(kCount * sizeof(T));
  ExactBytes predictions(kCount * sizeof(T));
  for (size_t i = 0; i < kCount; ++i) {
    store(value.data() + i * sizeof(T), static_cast<T>(i));
    store(predictions.data() + i * sizeof(T), prediction);
  }
  ExactBytes differences(kCount * sizeof(T) + kBehindLarge);
  make_differences(sizeof(T), value.data(), predictions.data(), kCount, differences.data());
  const std::vector<uint8_t> all_large(kCount + 64, kLargeDifference);
  ExactBytes again(kCount * sizeof(T));
  values_of_symbols(sizeof(T), all_large.data(), differences.data(), predictions.data(), kCount,
                    again.data());
  ASSERT_EQ(again.copy(), value.copy()) << "prediction " << prediction;
}

TEST_P(ResidualKernel, DifferencesOfAllPairsOfBytesAreABijection) {
  for (unsigned prediction = 0; prediction < 256; ++prediction) {
    ASSERT_NO_FATAL_FAILURE(check_all_values(static_cast<uint8_t>(prediction)));
  }
}

TEST_P(ResidualKernel, DifferencesOfAll16BitValuesAreABijection) {
  for (const unsigned prediction : {0x0000, 0x8000, 0x0001, 0x8001, 0x7FFF, 0xFFFF, 0x7F80, 0x7C00,
                                    0x3F80, 0xBF80, 0x4000, 0xC000}) {
    ASSERT_NO_FATAL_FAILURE(check_all_values(static_cast<uint16_t>(prediction)));
  }
  for (unsigned prediction = 7; prediction < 0x10000; prediction += 331) {
    ASSERT_NO_FATAL_FAILURE(check_all_values(static_cast<uint16_t>(prediction)));
  }
}

// What the header says in words.
TEST(ResidualScalar, DifferencesAreOfMagnitudesFoldedByTheSign) {
  const auto difference = [](uint16_t value, uint16_t prediction) {
    std::byte bytes[6];
    store(bytes, value);
    store(bytes + 2, prediction);
    scalar::make_differences<uint16_t>(bytes, bytes + 2, 0, 1, bytes + 4);
    return load<int16_t>(bytes + 4);
  };
  EXPECT_EQ(difference(0x3F81, 0x3F80), 1);
  EXPECT_EQ(difference(0xBF81, 0xBF80), 1);
  EXPECT_EQ(difference(0x3F7F, 0x3F80), -1);
  EXPECT_EQ(difference(0xBF7F, 0xBF80), -1);
  EXPECT_EQ(difference(0x8000, 0x0000), -1);  // -0 is next to 0
  EXPECT_EQ(difference(0x0002, 0x8003), -6);
  EXPECT_EQ(difference(0xFFFF, 0x7FFF), 1);  // modulo 2^16
}

TEST(ResidualScalar, SymbolsOfAllDifferences) {
  for (int difference = -0x8000; difference < 0x8000; ++difference) {
    std::byte bytes[2];
    store(bytes, static_cast<int16_t>(difference));
    uint8_t symbol = 0;
    scalar::symbols_of_differences<uint16_t>(bytes, 0, 1, &symbol);
    const int zigzag = difference >= 0 ? 2 * difference : -2 * difference - 1;
    ASSERT_EQ(symbol, std::min<int>(zigzag, kLargeDifference)) << difference;
  }
}

// Leading bits as F8 to F32 have them, with tops that some values are above of.
template <typename T>
std::vector<LeadingBits> leading_bits(uint8_t most) {
  const unsigned width = 8 * sizeof(T);
  std::vector<LeadingBits> all;
  for (const unsigned shift : {0u, 1u, 3u, width / 2, width - 2, width - 1}) {
    const uint32_t highest = shift < width - 1 ? (1u << (width - 1 - shift)) - 1 : 0;
    for (const uint32_t top : {0u, highest / 2, highest}) {
      all.push_back({.shift = shift, .top = top, .most = most});
    }
  }
  return all;
}

template <typename T>
void check_contexts(size_t count, LeadingBits bits) {
  SCOPED_TRACE(testing::Message() << count << " units of " << sizeof(T) << ", shift " << bits.shift
                                  << ", top " << bits.top << ", most " << +bits.most);
  const ResidualPair<T> pair(count, count);
  ExactBytes expected(count);
  scalar::contexts_of<T>(pair.value.data(), 0, count, bits, expected.symbols());
  ExactBytes contexts(count, 1 + count % 6);
  contexts_of(sizeof(T), pair.value.data(), count, bits, contexts.symbols());
  ASSERT_EQ(contexts.copy(), expected.copy());

  for (const std::byte* const prediction :
       {static_cast<const std::byte*>(nullptr), pair.prediction.data()}) {
    scalar::leading_symbols<T>(pair.value.data(), prediction, 0, count, bits, expected.symbols());
    ExactBytes symbols(count, 1 + count % 6);
    leading_symbols(sizeof(T), pair.value.data(), prediction, count, bits, symbols.symbols());
    ASSERT_EQ(symbols.copy(), expected.copy()) << (prediction != nullptr);
  }
}

TEST_P(ResidualKernel, ContextsAndLeadingSymbolsEqualTheReference) {
  for (const size_t count : interesting_counts()) {
    for_every_unit([&]<typename T>(T) {
      for (const uint8_t most : std::array<uint8_t, 3>{0, 15, 126}) {
        for (const LeadingBits bits : leading_bits<T>(most)) check_contexts<T>(count, bits);
      }
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace finedelta
