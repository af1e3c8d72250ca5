#include "coder/wavelet/plan.h"

#include <algorithm>
#include <optional>

#include "coder/wavelet/scratch.h"
#include "kernels/symbols.h"
#include "numeric/log2.h"

namespace finedelta::wavelet {

namespace {

// The sample: so many units in all, in windows spread evenly over the chunk.
constexpr size_t kSampleUnits = 16384;
constexpr size_t kWindows = 4;

// What a table costs for each symbol that comes and for itself: measured on real models.
constexpr uint64_t kBitsOfSymbol = 5;
constexpr uint64_t kBitsOfTable = 10;

// Contexts that save less than this part are not worth their time.
constexpr uint64_t kWorthwhile = 512;

// Of so many predictions at most one has leading bits above those of context 0.
constexpr size_t kRareTop = 128;

constexpr std::array<unsigned, 8> kContextCounts = {1, 2, 3, 4, 6, 8, 12, 16};

struct Sample {
  Bytes value;
  Bytes prediction;
};

void append_windows(Bytes from, size_t unit, size_t taken, std::vector<std::byte>& to) {
  const size_t units = from.size() / unit;
  const size_t window = taken / kWindows;
  for (size_t w = 0; w < kWindows; ++w) {
    const size_t first = (units - taken) / kWindows * w + window * w;
    const Bytes part = from.subspan(first * unit, window * unit);
    to.insert(to.end(), part.begin(), part.end());
  }
}

Sample take_sample(Bytes value, Bytes prediction, size_t unit, std::vector<std::byte>& buffer) {
  if (value.size() / unit <= kSampleUnits) return {value, prediction};
  buffer.clear();
  append_windows(value, unit, kSampleUnits, buffer);
  if (!prediction.empty()) append_windows(prediction, unit, kSampleUnits, buffer);
  const Bytes both(buffer);
  return {both.first(kSampleUnits * unit), both.subspan(kSampleUnits * unit)};
}

uint32_t leading_bits(Bytes values, size_t i, FloatLayout layout, unsigned shift) {
  const size_t unit = layout.bits / 8;
  uint32_t bits = 0;
  std::memcpy(&bits, values.data() + i * unit, unit);
  return (bits & ((1u << (layout.bits - 1)) - 1)) >> shift;
}

// The leading bits that only few predictions are above of.
uint32_t find_context_top(FloatLayout layout, unsigned shift, Bytes prediction) {
  const size_t units = prediction.size() / (layout.bits / 8);
  std::vector<uint32_t> counts(size_t{1} << (layout.bits - 1 - shift));
  for (size_t i = 0; i < units; ++i) ++counts[leading_bits(prediction, i, layout, shift)];
  size_t above = 0;
  auto top = static_cast<uint32_t>(counts.size() - 1);
  while (top > 0 && (above += counts[top]) <= units / kRareTop) --top;
  return top;
}

// The model of one kind; `sample.prediction` is not empty where there is a prediction.
Model model_of(SymbolKind kind, FloatLayout layout, const Sample& sample) {
  Model model{.kind = kind};
  if (kind == SymbolKind::kLeading) {
    model.symbol_bits = static_cast<uint8_t>(std::min(2u, layout.mantissa));
    model.symbol_top = find_symbol_top(model, layout, sample.value);
  }
  if (sample.prediction.empty()) return model;
  model.contexts = kMostContexts;
  model.context_bits = kind == SymbolKind::kLeading ? 1 : 0;
  model.context_top =
      find_context_top(layout, layout.mantissa - model.context_bits, sample.prediction);
  return model;
}

// What the sample costs with this model, scaled to `units`, in bytes.
uint64_t estimate(const Model& model, FloatLayout layout, const Sample& sample, size_t units,
                  Scratch& scratch) {
  const size_t unit = layout.bits / 8;
  const size_t taken = sample.value.size() / unit;
  scratch.symbols.resize(taken + kSymbolSlack);
  scratch.rest.clear();
  make_symbols(model, layout, sample.value, sample.prediction, scratch.symbols.data(),
               scratch.rest);
  const uint8_t* contexts = nullptr;
  if (model.contexts > 1) {
    scratch.contexts.resize(taken + kSymbolSlack);
    contexts_of(static_cast<unsigned>(unit), sample.prediction.data(), taken,
                model.context_leading(layout), scratch.contexts.data());
    contexts = scratch.contexts.data();
  }
  Histogram histogram;
  histogram.count(contexts, scratch.symbols.data(), taken);
  const Histogram::Cost cost = histogram.cost(histogram.enough_contexts());
  const uint64_t symbols = (cost.symbols >> kLog2Fraction) + scratch.rest.bits();
  constexpr uint64_t kHeader = 8;
  return kHeader + ((cost.tables >> kLog2Fraction) + symbols * units / taken) / 8;
}

// n log2 n of the sum, less c log2 c of each: the entropy of all.
uint64_t entropy(const Histogram::Row& row, uint64_t total, unsigned& different) {
  uint64_t bits = total * log2_fixed(static_cast<uint32_t>(total));
  for (const uint32_t count : row) {
    if (count == 0) continue;
    bits -= uint64_t{count} * log2_fixed(count);
    ++different;
  }
  return bits;
}

void add_row(const Histogram::Row& from, Histogram::Row& to) {
  for (unsigned i = 0; i < kMostSymbols; ++i) to[i] += from[i];
}

}  // namespace

void Histogram::count(const uint8_t* contexts, const uint8_t* symbols, size_t units) {
  // Four rows in turn, so that equal symbols in sequence do not wait for one another.
  if (contexts == nullptr) {
    std::array<Row, 4> parts{};
    for (size_t i = 0; i < units; ++i) ++parts[i % 4][symbols[i]];
    for (const Row& part : parts) add_row(part, rows_[0]);
    return;
  }
  for (size_t i = 0; i < units; ++i) ++rows_[contexts[i]][symbols[i]];
}

void Histogram::merge(unsigned contexts) {
  for (unsigned k = contexts; k < kMostContexts; ++k) {
    add_row(rows_[k], rows_[contexts - 1]);
    rows_[k] = {};
  }
}

Histogram::Cost Histogram::cost(unsigned contexts) const {
  Cost cost;
  Row last{};
  for (unsigned k = contexts - 1; k < kMostContexts; ++k) add_row(rows_[k], last);
  for (unsigned k = 0; k < contexts; ++k) {
    const Row& row = k + 1 < contexts ? rows_[k] : last;
    uint64_t total = 0;
    for (const uint32_t count : row) total += count;
    if (total == 0) continue;
    unsigned different = 0;
    cost.symbols += entropy(row, total, different);
    cost.tables += (kBitsOfTable + kBitsOfSymbol * different) << kLog2Fraction;
  }
  return cost;
}

unsigned Histogram::enough_contexts() const {
  std::array<uint64_t, kContextCounts.size()> costs{};
  for (size_t i = 0; i < costs.size(); ++i) costs[i] = cost(kContextCounts[i]).all();
  const uint64_t least = *std::ranges::min_element(costs);
  for (size_t i = 0; i < costs.size(); ++i) {
    if (costs[i] <= least + least / kWorthwhile) return kContextCounts[i];
  }
  return kMostContexts;
}

uint32_t find_symbol_top(const Model& model, FloatLayout layout, Bytes value) {
  const unsigned shift = layout.mantissa - model.symbol_bits;
  const size_t units = value.size() / (layout.bits / 8);
  uint32_t top = 0;
  for (size_t i = 0; i < units; ++i) top = std::max(top, leading_bits(value, i, layout, shift));
  return top;
}

uint8_t best_precision(size_t units) {
  if (units < size_t{1} << 14) return 1;
  return units < size_t{1} << 17 ? 2 : 3;
}

Plan make_plan(FloatLayout layout, Bytes value, Bytes prediction, Scratch& scratch) {
  const size_t unit = layout.bits / 8;
  const Sample sample = take_sample(value, prediction, unit, scratch.bytes);
  std::optional<Plan> best;
  for (const SymbolKind kind : {SymbolKind::kDifference, SymbolKind::kLeading}) {
    if (kind == SymbolKind::kDifference && prediction.empty()) continue;
    const Model model = model_of(kind, layout, sample);
    const uint64_t bytes = estimate(model, layout, sample, value.size() / unit, scratch);
    if (!best || bytes < best->estimate) best = {.model = model, .estimate = bytes};
  }
  return *best;
}

}  // namespace finedelta::wavelet
