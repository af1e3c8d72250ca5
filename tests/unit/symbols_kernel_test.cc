#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <vector>

#include "kernels/symbols.h"
#include "kernels/symbols_scalar.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

size_t words(size_t bits) { return (bits + 63) / 64; }

std::vector<size_t> symbol_counts() {
  std::vector<size_t> counts;
  for (size_t count = 0; count <= 200; ++count) counts.push_back(count);
  for (const size_t count : {255, 256, 257, 1000, 4095, 4096, 4097}) counts.push_back(count);
  return counts;
}

ExactBytes symbol_buffer(size_t count) { return ExactBytes(count + kSymbolSlack, 1 + count % 7); }

// `count` symbols below `end`; what lies behind them is anything.
ExactBytes random_symbols(size_t count, unsigned end, uint64_t seed) {
  ExactBytes symbols(pseudo_random_bytes(count + kSymbolSlack, seed), 1 + count % 5);
  for (size_t i = 0; i < count; ++i) {
    symbols.symbols()[i] = static_cast<uint8_t>(symbols.symbols()[i] % end);
  }
  return symbols;
}

ExactBytes bit_buffer(size_t count) { return ExactBytes(8 * words(count), 1 + count % 3); }

using SymbolsKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(SymbolsKernel);

struct Split {
  size_t count;
  unsigned end;  // of the symbols
  uint8_t at;
};

// Calls `check` for every count with symbols of few and of many kinds.
template <typename Check>
void for_every_split(Check check) {
  constexpr std::array<std::pair<unsigned, uint8_t>, 6> kKinds = {
      {{2, 1}, {256, 128}, {256, 255}, {256, 1}, {10, 9}, {10, 20}}};
  for (const size_t count : symbol_counts()) {
    for (const auto& [end, at] : kKinds) {
      SCOPED_TRACE(testing::Message() << count << " symbols below " << end << " at " << +at);
      check(Split{.count = count, .end = end, .at = at});
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST_P(SymbolsKernel, Marks) {
  for_every_split([](const Split& split) {
    const ExactBytes symbols = random_symbols(split.count, split.end, split.count);
    ExactBytes expected = bit_buffer(split.count);
    scalar::mark_symbols(symbols.symbols(), split.count, split.at, expected.data());
    ExactBytes bits = bit_buffer(split.count);
    mark_symbols(symbols.symbols(), split.count, split.at, bits.data());
    ASSERT_EQ(bits.copy(), expected.copy());
    size_t set = 0;
    for (size_t i = 0; i < split.count; ++i) set += symbols.symbols()[i] >= split.at ? 1 : 0;
    ASSERT_EQ(count_bits(bits.data(), split.count), set);
  });
}

TEST_P(SymbolsKernel, Selects) {
  for_every_split([](const Split& split) {
    const ExactBytes symbols = random_symbols(split.count, split.end, split.count);
    std::vector<uint8_t> expected(split.count + kSymbolSlack);
    const size_t taken =
        scalar::select_symbols(symbols.symbols(), split.count, split.at, expected.data());
    ExactBytes selected = symbol_buffer(taken);
    ASSERT_EQ(select_symbols(symbols.symbols(), split.count, split.at, selected.symbols()), taken);
    ASSERT_TRUE(std::equal(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(taken),
                           selected.symbols()));
  });
}

// Splits as the reference does, with or without either side; joining gives the symbols back.
void check_split_and_join(const Split& split, bool wants_left, bool wants_right) {
  const ExactBytes symbols = random_symbols(split.count, split.end, split.count + 1);
  ExactBytes expected_left = symbol_buffer(split.count);
  ExactBytes expected_right = symbol_buffer(split.count);
  ExactBytes expected_bits = bit_buffer(split.count);
  const size_t rights =
      scalar::split_symbols(symbols.symbols(), split.count, split.at, expected_left.symbols(),
                            expected_right.symbols(), expected_bits.data());
  const size_t lefts = split.count - rights;

  ExactBytes left = symbol_buffer(lefts);
  ExactBytes right = symbol_buffer(rights);
  ExactBytes bits = bit_buffer(split.count);
  ASSERT_EQ(
      split_symbols(symbols.symbols(), split.count, split.at, wants_left ? left.symbols() : nullptr,
                    wants_right ? right.symbols() : nullptr, bits.data()),
      rights);
  ASSERT_EQ(bits.copy(), expected_bits.copy());
  ASSERT_TRUE(!wants_left || left.first(lefts) == expected_left.first(lefts));
  ASSERT_TRUE(!wants_right || right.first(rights) == expected_right.first(rights));

  const Branch from_left = {wants_left ? left.symbols() : nullptr, 17};
  const Branch from_right = {wants_right ? right.symbols() : nullptr, 202};
  ExactBytes joined = symbol_buffer(split.count);
  join_symbols(bits.data(), split.count, from_left, from_right, joined.symbols());
  for (size_t i = 0; i < split.count; ++i) {
    const uint8_t symbol = symbols.symbols()[i];
    const bool on_right = symbol >= split.at;
    const bool is_kept = on_right ? wants_right : wants_left;
    ASSERT_EQ(joined.symbols()[i], is_kept ? symbol : on_right ? 202 : 17) << "symbol " << i;
  }
}

TEST_P(SymbolsKernel, SplitsAndJoins) {
  for_every_split([](const Split& split) {
    for (const bool left : {false, true}) {
      for (const bool right : {false, true}) {
        ASSERT_NO_FATAL_FAILURE(check_split_and_join(split, left, right));
      }
    }
  });
}

// Symbols in a buffer for each stream, which it fills.
struct Streams {
  Streams(const ExactBytes& contexts, size_t count, size_t streams) : sizes(streams) {
    for (size_t i = 0; i < count; ++i) {
      ++sizes[std::min<size_t>(contexts.symbols()[i], streams - 1)];
    }
    for (const size_t size : sizes) buffers.push_back(symbol_buffer(size));
    for (ExactBytes& buffer : buffers) places.push_back(buffer.symbols());
  }

  std::vector<size_t> sizes;
  std::vector<ExactBytes> buffers;
  std::vector<uint8_t*> places;
};

void check_partition(size_t count, size_t streams) {
  SCOPED_TRACE(testing::Message() << count << " symbols, " << streams << " streams");
  const ExactBytes symbols = random_symbols(count, 256, count);
  // Some are above the last stream.
  const ExactBytes contexts = random_symbols(count, static_cast<unsigned>(streams + 3), streams);
  Streams expected(contexts, count, streams);
  scalar::partition_symbols(contexts.symbols(), symbols.symbols(), count, streams,
                            expected.places.data());
  Streams made(contexts, count, streams);
  partition_symbols(contexts.symbols(), symbols.symbols(), count, streams, made.places.data());
  for (size_t k = 0; k < streams; ++k) {
    const size_t size = expected.sizes[k];
    ASSERT_EQ(made.buffers[k].first(size), expected.buffers[k].first(size)) << "stream " << k;
  }
}

TEST_P(SymbolsKernel, Partitions) {
  for (const size_t count : symbol_counts()) {
    for (const size_t streams : {1, 2, 3, 8, 15, 16}) {
      ASSERT_NO_FATAL_FAILURE(check_partition(count, streams));
    }
  }
}

}  // namespace
}  // namespace finedelta
