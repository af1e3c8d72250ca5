#include "coder/wavelet/histogram.h"

#include <algorithm>
#include <span>

#include "numeric/log2.h"

namespace finedelta::wavelet {

namespace {

// What a table costs for each symbol that comes and for itself: measured on real models.
constexpr uint64_t kBitsOfSymbol = 5;
constexpr uint64_t kBitsOfTable = 10;

constexpr std::array<unsigned, 8> kContextCounts = {1, 2, 3, 4, 6, 8, 12, 16};

}  // namespace

void Histogram::clear(std::vector<Row>& rows, unsigned contexts) const {
  for (unsigned k = 0; k < contexts; ++k) std::fill_n(rows[k].begin(), used_, 0u);
}

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
  cost.tables = (kBitsOfTable + kBitsOfSymbol * different) << kLog2Fraction;
  return cost;
}

void Histogram::count(const uint8_t* contexts, const uint8_t* symbols, size_t units,
                      unsigned limit) {
  // Rows are read as a whole by those who take them.
  clear(rows_, kMostStreams);
  used_ = limit;
  clear(rows_, kMostStreams);
  // Different rows in turn, so that equal symbols in sequence do not wait for one another.
  if (contexts == nullptr) {
    clear(others_, 3);
    Row* const rows[4] = {&rows_[0], &others_[0], &others_[1], &others_[2]};
    for (size_t i = 0; i < units; ++i) ++(*rows[i % 4])[symbols[i]];
    for (unsigned k = 0; k < 3; ++k) add_row(others_[k], rows_[0]);
    return;
  }
  clear(others_, kMostStreams);
  Row* const rows = rows_.data();
  Row* const others = others_.data();
  size_t i = 0;
  for (; i + 2 <= units; i += 2) {
    ++rows[contexts[i]][symbols[i]];
    ++others[contexts[i + 1]][symbols[i + 1]];
  }
  if (i < units) ++rows[contexts[i]][symbols[i]];
  for (unsigned k = 0; k < kMostStreams; ++k) add_row(others[k], rows[k]);
}

void Histogram::merge(unsigned contexts) {
  for (unsigned k = contexts; k < kMostContexts; ++k) {
    add_row(rows_[k], rows_[contexts - 1]);
    rows_[k] = {};
  }
}

Histogram::Cost Histogram::cost() const {
  Cost cost;
  for (const Row& row : rows_) cost.add(cost_of(row));
  return cost;
}

Histogram::Choice Histogram::enough_contexts(unsigned most, uint64_t worthwhile) const {
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
  const auto all = [](const Choice& choice) { return choice.cost.all(); };
  const auto behind = std::ranges::upper_bound(choices, most, {}, &Choice::contexts);
  const std::span<const Choice> allowed(choices.begin(), behind);
  const uint64_t least = all(*std::ranges::min_element(allowed, {}, all));
  return *std::ranges::find_if(
      allowed, [&](uint64_t cost) { return cost <= least + least / worthwhile; }, all);
}

}  // namespace finedelta::wavelet
