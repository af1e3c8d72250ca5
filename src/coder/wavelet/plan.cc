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

// A sample of which more than this part repeats is given to other coders too.
constexpr size_t kRepeatedPart = 4;

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

template <typename T>
uint32_t magnitude(Bytes values, size_t i) {
  constexpr T kMask = static_cast<T>(T(~T{0}) >> 1);
  return load<T>(values.data() + i * sizeof(T)) & kMask;
}

// The leading bits that only few predictions are above of.
uint32_t find_context_top(FloatLayout layout, unsigned shift, Bytes prediction) {
  const size_t units = prediction.size() / (layout.bits / 8);
  std::vector<uint32_t> counts(size_t{1} << (layout.bits - 1 - shift));
  with_bits(layout, [&](auto bits) {
    for (size_t i = 0; i < units; ++i) ++counts[magnitude<decltype(bits)>(prediction, i) >> shift];
  });
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

// Whether many words of 8 symbols are what the word before them is: a cheap sign of repetition.
bool repeats_itself(const uint8_t* symbols, size_t units) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(symbols);
  size_t equal = 0;
  for (size_t i = 8; i + 8 <= units; i += 8) {
    equal += load<uint64_t>(bytes + i) == load<uint64_t>(bytes + i - 8) ? 1 : 0;
  }
  return units < 64 || equal > units / 8 / kRepeatedPart;
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
  const Histogram::Cost cost = histogram.enough_contexts().cost;
  const uint64_t symbols = (cost.symbols >> kLog2Fraction) + scratch.rest.bits();
  constexpr uint64_t kHeader = 8;
  return kHeader + ((cost.tables >> kLog2Fraction) + symbols * units / taken) / 8;
}

void add_row(const Histogram::Row& from, Histogram::Row& to) {
  for (unsigned i = 0; i < kMostSymbols; ++i) to[i] += from[i];
}

// The entropy is n log2 n of the sum, less c log2 c of each count.
Histogram::Cost cost_of(const Histogram::Row& row) {
  Histogram::Cost cost;
  uint64_t total = 0;
  uint64_t different = 0;
  uint64_t sum = 0;
  for (const uint32_t count : row) {
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

}  // namespace

void Histogram::count(const uint8_t* contexts, const uint8_t* symbols, size_t units) {
  // Different rows in turn, so that equal symbols in sequence do not wait for one another.
  if (contexts == nullptr) {
    std::array<Row, 4> parts{};
    for (size_t i = 0; i < units; ++i) ++parts[i % 4][symbols[i]];
    for (const Row& part : parts) add_row(part, rows_[0]);
    return;
  }
  Row* const rows = rows_.data();
  Row* const others = others_.data();
  size_t i = 0;
  for (; i + 2 <= units; i += 2) {
    ++rows[contexts[i]][symbols[i]];
    ++others[contexts[i + 1]][symbols[i + 1]];
  }
  if (i < units) ++rows[contexts[i]][symbols[i]];
  for (unsigned k = 0; k < kMostContexts; ++k) add_row(others[k], rows[k]);
}

void Histogram::merge(unsigned contexts) {
  for (unsigned k = contexts; k < kMostContexts; ++k) {
    add_row(rows_[k], rows_[contexts - 1]);
    rows_[k] = {};
  }
}

Histogram::Choice Histogram::enough_contexts() const {
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
  const uint64_t least = all(*std::ranges::min_element(choices, {}, all));
  return *std::ranges::find_if(
      choices, [&](uint64_t cost) { return cost <= least + least / kWorthwhile; }, all);
}

uint32_t find_symbol_top(const Model& model, FloatLayout layout, Bytes value) {
  const unsigned shift = layout.mantissa - model.symbol_bits;
  const size_t units = value.size() / (layout.bits / 8);
  uint32_t top = 0;
  with_bits(layout, [&](auto bits) {
    for (size_t i = 0; i < units; ++i) top = std::max(top, magnitude<decltype(bits)>(value, i));
  });
  return top >> shift;
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
    if (best && bytes >= best->estimate) continue;
    best = {.model = model,
            .estimate = bytes,
            .repeats = repeats_itself(scratch.symbols.data(), sample.value.size() / unit)};
  }
  return *best;
}

}  // namespace finedelta::wavelet
