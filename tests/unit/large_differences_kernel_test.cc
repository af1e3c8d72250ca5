#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "kernels/large_differences.h"
#include "kernels/large_differences_scalar.h"
#include "kernels/symbols.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr size_t kBehindBits = 16;         // what may be read there
constexpr size_t kBehindDifferences = 64;  // what may be touched there

// Symbols of all large differences of so many bytes, in no order.
ExactBytes large_symbols(unsigned unit, size_t count, uint64_t seed) {
  const unsigned kinds = 4 * (8 * unit - kLeastLargeLog2);
  ExactBytes symbols(pseudo_random_bytes(count + kSymbolSlack, seed), 1 + count % 5);
  for (size_t i = 0; i < count; ++i) {
    symbols.symbols()[i] = static_cast<uint8_t>(kLargeDifference + symbols.symbols()[i] % kinds);
  }
  return symbols;
}

// The bits that a symbol is completed by.
size_t own_bits(uint8_t symbol) {
  return (symbol - size_t{kLargeDifference}) / 4 + kLeastLargeLog2 - 1;
}

using LargeDifferencesKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(LargeDifferencesKernel);

template <typename T>
void check_equal(size_t count, size_t begin) {
  SCOPED_TRACE(testing::Message() << count << " of " << sizeof(T) << " bytes from bit " << begin);
  const ExactBytes symbols = large_symbols(sizeof(T), count, count);
  size_t end = begin;
  for (size_t i = 0; i < count; ++i) end += own_bits(symbols.symbols()[i]);
  const ExactBytes bits(pseudo_random_bytes((end + 7) / 8 + kBehindBits, 2));
  ExactBytes expected(count * sizeof(T) + kBehindDifferences);
  ASSERT_EQ(scalar::read_large_differences<T>(symbols.symbols(), 0, count, bits.data(), begin, end,
                                              expected.data()),
            end);
  ExactBytes differences(count * sizeof(T) + kBehindDifferences, 1 + count % 3);
  ASSERT_EQ(read_large_differences(sizeof(T), symbols.symbols(), count, bits.data(), begin, end,
                                   differences.data()),
            end);
  ASSERT_EQ(differences.first(count * sizeof(T)), expected.first(count * sizeof(T)));
  if (end == begin) return;
  // One bit less than there must be.
  ASSERT_GT(read_large_differences(sizeof(T), symbols.symbols(), count, bits.data(), begin, end - 1,
                                   differences.data()),
            end - 1);
  ASSERT_GT(read_large_differences(sizeof(T), symbols.symbols(), count, bits.data(), begin, begin,
                                   differences.data()),
            begin);
}

TEST_P(LargeDifferencesKernel, EqualTheReferenceForEveryCount) {
  for (size_t count = 0; count <= 150; ++count) {
    for (const size_t begin : {0, 1, 7, 8, 61}) {
      ASSERT_NO_FATAL_FAILURE(check_equal<uint8_t>(count, begin));
      ASSERT_NO_FATAL_FAILURE(check_equal<uint16_t>(count, begin));
      ASSERT_NO_FATAL_FAILURE(check_equal<uint32_t>(count, begin));
    }
  }
  ASSERT_NO_FATAL_FAILURE(check_equal<uint16_t>(3001, 5));
  ASSERT_NO_FATAL_FAILURE(check_equal<uint32_t>(3001, 5));
}

// Every 16-bit difference that is large, from its symbol and its bits as the header says.
TEST_P(LargeDifferencesKernel, AllOf16Bits) {
  std::vector<std::byte> symbols;
  std::vector<std::byte> expected;
  std::vector<std::byte> bits((size_t{1} << 16) * 2 + kBehindBits);
  size_t end = 0;
  for (int difference = -0x8000; difference < 0x8000; ++difference) {
    const auto absolute = static_cast<unsigned>(std::abs(difference));
    if (absolute < 16) continue;
    const auto k = static_cast<unsigned>(std::bit_width(absolute)) - 1;
    const unsigned symbol = kLargeDifference + 4 * (k - kLeastLargeLog2) +
                            2 * (absolute >> (k - 1) & 1) + (difference < 0 ? 1 : 0);
    symbols.push_back(static_cast<std::byte>(symbol));
    for (unsigned bit = 0; bit + 1 < k; ++bit, ++end) {
      bits[end / 8] |= static_cast<std::byte>((absolute >> bit & 1) << end % 8);
    }
    expected.push_back(static_cast<std::byte>(difference & 0xFF));
    expected.push_back(static_cast<std::byte>(difference >> 8 & 0xFF));
  }
  const size_t count = symbols.size();
  symbols.resize(count + kSymbolSlack);
  ExactBytes differences(2 * count + kBehindDifferences);
  ASSERT_EQ(read_large_differences(2, reinterpret_cast<const uint8_t*>(symbols.data()), count,
                                   bits.data(), 0, end, differences.data()),
            end);
  ASSERT_EQ(differences.first(2 * count), expected);
}

}  // namespace
}  // namespace finedelta
