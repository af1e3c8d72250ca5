#include "coder/wavelet/classes.h"

#include <algorithm>
#include <numeric>

#include "kernels/symbols.h"

namespace finedelta::wavelet {

namespace {

// Sums of 64 symbols that come alike in all blocks spread by about a tenth. Where the upper tenth
// of the blocks is not clearly above the lower one, classes save nothing.
bool differ(std::span<const uint16_t> sorted) {
  const uint32_t low = sorted[sorted.size() / 10];
  const uint32_t high = sorted[sorted.size() - 1 - sorted.size() / 10];
  return high > low + low / 3 + 16;
}

uint16_t activity(const uint8_t* symbols, size_t count) {
  return static_cast<uint16_t>(std::accumulate(symbols, symbols + count, uint32_t{0}));
}

}  // namespace

void find_activities(const uint8_t* symbols, size_t units, std::vector<uint16_t>& activities) {
  activities.resize(block_count(units));
  const size_t whole = units / kBlockUnits;
  for (size_t b = 0; b < whole; ++b) {
    activities[b] = activity(symbols + b * kBlockUnits, kBlockUnits);
  }
  const size_t rest = units % kBlockUnits;
  if (rest == 0) return;
  const uint32_t sum = activity(symbols + whole * kBlockUnits, rest);
  activities[whole] = static_cast<uint16_t>(sum * kBlockUnits / rest);
}

ClassLimits find_limits(std::span<const uint16_t> sorted, uint8_t log2) {
  if (!differ(sorted)) return {};
  const size_t classes = size_t{1} << log2;
  const auto idle = static_cast<size_t>(std::ranges::upper_bound(sorted, 0) - sorted.begin());
  ClassLimits limits{.log2 = log2};
  // Idle blocks are the first class where they are at least half of one.
  const size_t first = idle >= sorted.size() / (2 * classes) ? 1 : 0;
  const size_t from = first == 1 ? idle : 0;
  for (size_t i = first; i + 1 < classes; ++i) {
    const size_t part = (i + 1 - first) * (sorted.size() - from) / (classes - first);
    limits.limit[i] = sorted[from + std::max<size_t>(part, 1) - 1];
  }
  return limits;
}

void find_classes(std::span<const uint16_t> activities, const ClassLimits& limits,
                  std::vector<uint8_t>& classes) {
  if (classes.size() < activities.size() + kSymbolSlack) {
    classes.resize(activities.size() + kSymbolSlack);
  }
  const size_t used = (size_t{1} << limits.log2) - 1;
  for (size_t b = 0; b < activities.size(); ++b) {
    unsigned above = 0;
    for (size_t i = 0; i < used; ++i) above += activities[b] > limits.limit[i] ? 1 : 0;
    classes[b] = static_cast<uint8_t>(above);
  }
}

void add_classes(std::span<const uint8_t> classes, unsigned contexts, size_t units,
                 uint8_t* of_unit) {
  for (size_t begin = 0; begin < units; begin += kBlockUnits) {
    const auto first = static_cast<uint8_t>(classes[begin / kBlockUnits] * contexts);
    const size_t end = std::min(begin + kBlockUnits, units);
    for (size_t i = begin; i < end; ++i) of_unit[i] = static_cast<uint8_t>(of_unit[i] + first);
  }
}

}  // namespace finedelta::wavelet
