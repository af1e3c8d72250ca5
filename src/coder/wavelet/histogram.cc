#include "coder/wavelet/histogram.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "kernels/count_symbols.h"
#include "numeric/log2.h"

namespace finedelta::wavelet {

namespace {

// What a table costs for each symbol that comes and for itself: measured on real models.
constexpr uint64_t kBitsOfSymbol = 5;
constexpr uint64_t kBitsOfTable = 10;

// By how much the entropy of a sample is too low for each symbol but one that comes in it, in units
// of 2^-16 bits: 1 / (2 ln 2) (G. A. Miller: Note on the bias of information estimates, 1955).
constexpr uint64_t kMissed = 47'274;

constexpr std::array<unsigned, 8> kContextCounts = {1, 2, 3, 4, 6, 8, 12, 16};

}  // namespace

void Histogram::add_row(const Row& from, Row& to) const {
  for (unsigned i = 0; i < used_; ++i) to[i] += from[i];
}

// The entropy is n log2 n of the sum, less c log2 c of each count.
Histogram::Cost Histogram::cost_of(const Row& row) const {
  Cost cost;
  uint64_t total = 0;
  uint64_t different = 0;
  uint64_t sum = 0;
  for (unsigned i = 0; i < used_; ++i) {
    const uint32_t count = row[i];
    if (count == 0) continue;
    total += count;
    sum += uint64_t{count} * log2_fixed(count);
    ++different;
  }
  if (total == 0) return cost;
  cost.symbols = total * log2_fixed(static_cast<uint32_t>(total)) - sum;
  if (is_sample_) cost.symbols += kMissed * (different - 1);
  cost.tables = (kBitsOfTable + kBitsOfSymbol * different) << kLog2Fraction;
  return cost;
}

void Histogram::count(const SortedStreams& streams, unsigned limit, bool is_sample) {
  used_ = limit;
  is_sample_ = is_sample;
  for (unsigned k = 0; k < kMostStreams; ++k) {
    rows_[k].fill(0);
    count_symbols(streams.symbols[k], streams.count[k], rows_[k].data());
  }
}

Histogram::Cost Histogram::cost() const {
  Cost cost;
  for (const Row& row : rows_) cost.add(cost_of(row));
  return cost;
}

Histogram::Choice Histogram::enough_contexts(uint64_t times, const Effort& effort) const {
  std::array<Cost, kMostContexts> own{};  // of each row
  for (unsigned k = 0; k < kMostContexts; ++k) own[k] = cost_of(rows_[k]);
  std::array<Choice, kContextCounts.size()> choices;
  Row last{};
  unsigned merged = kMostContexts;
  for (size_t i = choices.size(); i-- > 0;) {
    const unsigned contexts = kContextCounts[i];
    while (merged >= contexts) add_row(rows_[--merged], last);
    choices[i] = {.contexts = contexts, .cost = cost_of(last)};
    for (unsigned k = 0; k + 1 < contexts; ++k) choices[i].cost.add(own[k]);
  }
  const uint64_t counted = std::accumulate(last.begin(), last.end(), uint64_t{0});
  const auto all = [&](const Choice& choice) {
    return choice.cost.tables + choice.cost.symbols * times;
  };
  const auto behind = std::ranges::upper_bound(choices, effort.contexts, {}, &Choice::contexts);
  const std::span<const Choice> allowed(choices.begin(), behind);
  const uint64_t least = all(*std::ranges::min_element(allowed, {}, all));
  const uint64_t enough = least + least / effort.worthwhile + counted * times * effort.small_cost;
  return *std::ranges::find_if(allowed, [&](uint64_t cost) { return cost <= enough; }, all);
}

}  // namespace finedelta::wavelet
