#include "kernels/count_symbols.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "kernels/symbols.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

class CountSymbolsKernel : public OnEveryTarget {};

TEST_P(CountSymbolsKernel, CountsWhatALoopCounts) {
  std::mt19937_64 random(1);
  for (const size_t count : {0, 1, 63, 64, 65, 300, 2047, 2048, 2049, 10000, 16384, 40000}) {
    for (const unsigned most : {0u, 7u, 8u, 31u, 200u, 255u}) {
      // Whatever is behind the symbols does not count.
      std::vector<uint8_t> symbols(count + kSymbolSlack);
      for (uint8_t& symbol : symbols) {
        symbol = static_cast<uint8_t>(std::min(random() % 256, random() % (most + 1)));
      }
      std::array<uint32_t, 256> expected{};
      expected[5] = 7;
      std::array<uint32_t, 256> counts = expected;
      for (size_t i = 0; i < count; ++i) ++expected[symbols[i]];
      count_symbols(symbols.data(), count, counts.data());
      ASSERT_EQ(counts, expected) << count << ' ' << most;
    }
  }
}

FINEDELTA_ON_EVERY_TARGET(CountSymbolsKernel);

}  // namespace
}  // namespace finedelta
