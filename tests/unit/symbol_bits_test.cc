// The kernels that write and read what completes a symbol: named large differences, trailing bits.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/bit_stream.h"
#include "kernels/large_differences_scalar.h"
#include "kernels/symbols.h"
#include "kernels/trailing_bits_scalar.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr size_t kSymbolCounts[] = {0, 1, 15, 16, 17, 63, 64, 65, 255, 1000, 1024, 2500};

template <class Call>
void with_each_unit(Call call) {
  call(uint8_t{});
  call(uint16_t{});
  call(uint32_t{});
}

std::vector<std::byte> bytes_of(BitWriter& writer) {
  const Bytes bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

// What `put` puts, behind three bits that are there already.
template <class Put>
std::vector<std::byte> bits_put(size_t most, Put put) {
  BitWriter writer;
  BitSink sink = writer.sink(most + 3);
  sink.put(5, 3);
  put(sink);
  writer.give_back(sink);
  return bytes_of(writer);
}

class SymbolBitsKernel : public OnEveryTarget {};

// Differences of all magnitudes, those just below a power of two, and the extreme ones; but only
// `large` of 8 are not small.
template <typename T>
std::vector<std::byte> some_differences(size_t count, unsigned large) {
  std::mt19937_64 random(count);
  std::vector<std::byte> bytes((count + kSymbolSlack) * sizeof(T));
  for (size_t i = 0; i < count; ++i) {
    const auto raw = static_cast<T>(random());
    const unsigned shift = static_cast<unsigned>(random() % (8 * sizeof(T)));
    T difference = static_cast<T>(static_cast<std::make_signed_t<T>>(raw) >> shift);
    if (random() % 16 == 0) difference = static_cast<T>(T{1} << (8 * sizeof(T) - 1));
    if (random() % 16 == 0) difference = static_cast<T>((T{1} << shift) - 1);
    if (random() % 8 >= large) difference = static_cast<T>(difference % 16);
    store(bytes.data() + i * sizeof(T), difference);
  }
  return bytes;
}

TEST_P(SymbolBitsKernel, LargeDifferencesAreNamedAsOneByOne) {
  with_each_unit([](auto type) {
    using T = decltype(type);
    for (const size_t count : kSymbolCounts) {
      for (const unsigned large : {0, 1, 4, 8}) {
        const auto differences = some_differences<T>(count, large);
        std::vector<uint8_t> expected(count + kSymbolSlack);
        symbols_of_differences(sizeof(T), differences.data(), count, expected.data());
        std::vector<uint8_t> symbols = expected;
        const size_t most = count * 8 * sizeof(T);
        const auto expected_bits = bits_put(most, [&](BitSink& sink) {
          scalar::name_large_differences<T>(differences.data(), count, expected.data(), sink);
        });
        const auto bits = bits_put(most, [&](BitSink& sink) {
          name_large_differences(sizeof(T), differences.data(), count, symbols.data(), sink);
        });
        symbols.resize(count);
        expected.resize(count);
        ASSERT_EQ(symbols, expected) << sizeof(T) << ' ' << count << ' ' << large;
        ASSERT_EQ(bits, expected_bits) << sizeof(T) << ' ' << count;
      }
    }
  });
}

TEST_P(SymbolBitsKernel, NamedDifferencesAreReadAgain) {
  with_each_unit([](auto type) {
    using T = decltype(type);
    for (const size_t count : kSymbolCounts) {
      const auto differences = some_differences<T>(count, 8);
      std::vector<uint8_t> symbols(count + kSymbolSlack);
      symbols_of_differences(sizeof(T), differences.data(), count, symbols.data());
      auto bits = bits_put(count * 8 * sizeof(T), [&](BitSink& sink) {
        name_large_differences(sizeof(T), differences.data(), count, symbols.data(), sink);
      });
      const size_t end = bits.size() * 8;
      bits.resize(bits.size() + 16);
      std::vector<std::byte> expected;
      std::vector<uint8_t> large;
      for (size_t i = 0; i < count; ++i) {
        if (symbols[i] < kLargeDifference) continue;
        large.push_back(symbols[i]);
        const std::byte* const from = differences.data() + i * sizeof(T);
        expected.insert(expected.end(), from, from + sizeof(T));
      }
      const size_t many = large.size();
      large.resize(many + kSymbolSlack);
      std::vector<std::byte> read(expected.size() + 64);
      const size_t at =
          read_large_differences(sizeof(T), large.data(), many, bits.data(), 3, end, read.data());
      ASSERT_LE(at, end);
      ASSERT_GT(at + 8, end);
      read.resize(expected.size());
      ASSERT_EQ(read, expected) << sizeof(T) << ' ' << count;
    }
  });
}

TEST_P(SymbolBitsKernel, TrailingBitsAreTheLowestOnes) {
  with_each_unit([](auto type) {
    using T = decltype(type);
    for (const size_t count : kSymbolCounts) {
      const auto value = pseudo_random_bytes(count * sizeof(T), 3);
      for (const unsigned width : {0u, 1u, 3u, 7u, 10u, 23u}) {
        if (width >= 8 * sizeof(T)) continue;
        const auto expected = bits_put(count * width, [&](BitSink& sink) {
          scalar::put_trailing_bits<T>(value.data(), 0, count, width, sink);
        });
        const auto bits = bits_put(count * width, [&](BitSink& sink) {
          put_trailing_bits(sizeof(T), value.data(), count, width, sink);
        });
        ASSERT_EQ(bits, expected) << sizeof(T) << ' ' << count << ' ' << width;
      }
    }
  });
}

TEST_P(SymbolBitsKernel, ValuesOfLeadingSymbolsAreThoseOfOneByOne) {
  with_each_unit([](auto type) {
    using T = decltype(type);
    for (const size_t count : kSymbolCounts) {
      const auto prediction = pseudo_random_bytes(count * sizeof(T), 4);
      for (const unsigned width : {0u, 1u, 3u, 7u, 10u, 23u}) {
        if (width >= 8 * sizeof(T)) continue;
        const auto bits = pseudo_random_bytes(count * width / 8 + 20, 5);
        const auto top = static_cast<uint32_t>(
            std::min<uint64_t>((uint64_t{1} << (8 * sizeof(T) - 1 - width)) - 1, 200));
        std::vector<uint8_t> symbols(count + kSymbolSlack);
        std::mt19937_64 random(6);
        for (uint8_t& symbol : symbols) {
          symbol = static_cast<uint8_t>(random() % std::min(252u, 2 * top + 2));
        }
        for (const std::byte* from : {prediction.data(), static_cast<const std::byte*>(nullptr)}) {
          std::vector<std::byte> expected(count * sizeof(T));
          std::vector<std::byte> value(count * sizeof(T));
          scalar::values_of_leading<T>(symbols.data(), 0, count, top, from, bits.data(), 9, width,
                                       expected.data());
          values_of_leading(sizeof(T), symbols.data(), count, top, from, bits.data(), 9, width,
                            value.data());
          ASSERT_EQ(value, expected) << sizeof(T) << ' ' << count << ' ' << width;
        }
      }
    }
  });
}

FINEDELTA_ON_EVERY_TARGET(SymbolBitsKernel);

}  // namespace
}  // namespace finedelta
