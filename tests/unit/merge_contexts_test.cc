#include "kernels/merge_contexts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "kernels/residual_scalar.h"
#include "kernels/symbols.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

class MergeContextsKernel : public OnEveryTarget {};

// Bytes that are far below 64 the more rarely, the larger `skew` is.
std::vector<std::byte> some_predictions(size_t count, size_t group, unsigned skew) {
  std::mt19937_64 random(count + skew);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) {
    uint64_t below = random() % group;
    for (unsigned i = 0; i < skew; ++i) below = std::min(below, random() % group);
    byte = static_cast<std::byte>(64 - below);
  }
  return bytes;
}

void check(size_t count, size_t group, size_t classes, unsigned skew) {
  const std::vector<std::byte> predictions = some_predictions(count, group, skew);
  const LeadingBits bits{.shift = 0, .top = 64, .most = static_cast<uint8_t>(group - 1)};
  const size_t blocks = (count + 63) / 64;
  std::vector<uint8_t> of_blocks(blocks + kSymbolSlack);
  std::mt19937_64 random(count);
  for (size_t i = 0; i < blocks; ++i) of_blocks[i] = static_cast<uint8_t>(random() % classes);
  const uint8_t* const class_of = classes > 1 ? of_blocks.data() : nullptr;

  std::array<std::vector<uint8_t>, kMostStreams> streams;
  std::array<uint32_t, kMostStreams> expected_counts{};
  std::vector<uint8_t> expected(count);
  for (size_t i = 0; i < count; ++i) {
    expected[i] = static_cast<uint8_t>(random());
    const uint8_t value = std::to_integer<uint8_t>(predictions[i]);
    const size_t stream = of_blocks[i / 64] * group + scalar::below_top(value, bits);
    streams[stream].push_back(expected[i]);
    ++expected_counts[stream];
  }
  std::array<const uint8_t*, kMostStreams> stream{};
  for (size_t k = 0; k < kMostStreams; ++k) {
    streams[k].resize(streams[k].size() + kSymbolSlack);
    stream[k] = streams[k].data();
  }

  std::vector<uint64_t> map(blocks * context_map_words(group) + 8);
  std::array<uint32_t, kMostStreams> counts{};
  context_map_of(1, predictions.data(), count, bits, class_of, map.data(), counts.data());
  ASSERT_EQ(counts, expected_counts) << count << ' ' << group << ' ' << classes;
  std::vector<uint8_t> symbols(count + kSymbolSlack);
  // All at once, and by and by.
  for (const size_t step : {count, size_t{64}, size_t{1024}}) {
    auto next = stream;
    for (size_t first = 0; first < count; first += step) {
      merge_contexts(map.data(), class_of, first, std::min(step, count - first), group, next.data(),
                     symbols.data() + first);
    }
    symbols.resize(count);
    ASSERT_EQ(symbols, expected) << count << ' ' << group << ' ' << classes << ' ' << step;
    symbols.assign(count + kSymbolSlack, 0);
  }
}

TEST_P(MergeContextsKernel, MergesWhatWasSorted) {
  for (const size_t count : {1, 15, 16, 63, 64, 65, 200, 2047, 2048, 2049, 5000}) {
    for (const unsigned skew : {0u, 4u, 30u}) {
      for (size_t group = 1; group <= kMostStreams; ++group) check(count, group, 1, skew);
      for (const size_t group : {1, 3, 8}) check(count, group, 2, skew);
      for (const size_t group : {2, 4}) check(count, group, 4, skew);
    }
  }
}

FINEDELTA_ON_EVERY_TARGET(MergeContextsKernel);

}  // namespace
}  // namespace finedelta
