#include "coder/wavelet/plan.h"

#include <algorithm>
#include <optional>

#include "coder/wavelet/scratch.h"
#include "kernels/symbols.h"
#include "numeric/log2.h"

namespace finedelta::wavelet {

namespace {

// The windows of a sample are spread evenly over the chunk.
constexpr size_t kWindows = 4;

// Classes that save less than this part are not worth their time.
constexpr uint64_t kWorthwhile = 512;

// A sample of which more than this part repeats is given to other coders too.
constexpr size_t kRepeatedPart = 4;

// Of fewer units no classes are made.
constexpr size_t kLeastForClasses = 4096;

// What the top of the contexts is found from.
constexpr size_t kUnitsForTop = 4096;

// Of so many predictions at most one has leading bits above those of context 0.
constexpr size_t kRareTop = 128;

// Of fewer units a sample says too little.
constexpr size_t kLeastSample = 4096;

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

// At most `most` units of it.
Sample take_sample(Bytes value, Bytes prediction, size_t unit, size_t most,
                   std::vector<std::byte>& buffer) {
  if (value.size() / unit <= most) return {value, prediction};
  most -= most % kWindows;
  buffer.clear();
  append_windows(value, unit, most, buffer);
  if (!prediction.empty()) append_windows(prediction, unit, most, buffer);
  const Bytes both(buffer);
  return {both.first(most * unit), both.subspan(most * unit)};
}

template <typename T>
uint32_t magnitude(Bytes values, size_t i) {
  constexpr T kMask = static_cast<T>(T(~T{0}) >> 1);
  return load<T>(values.data() + i * sizeof(T)) & kMask;
}

// The leading bits that only few predictions are above of.
uint32_t find_context_top(FloatLayout layout, unsigned shift, Bytes prediction) {
  const size_t units = std::min(prediction.size() / (layout.bits / 8), kUnitsForTop);
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

// Of tables for so many units that take about `estimate` bytes. Measured on real models: the
// smaller a chunk, the larger the part that its tables take.
uint8_t best_precision(size_t units, uint64_t estimate) {
  if (units < size_t{1} << 14 || estimate < 24'000) return 1;
  return units < size_t{1} << 17 ? 2 : 3;
}

// Tries models on a sample.
class Fitter {
 public:
  Fitter(FloatLayout layout, const Sample& sample, size_t units, const Effort& effort,
         Scratch& scratch)
      : layout_(layout),
        sample_(sample),
        taken_(sample.value.size() / (layout.bits / 8)),
        units_(units),
        effort_(effort),
        scratch_(scratch) {}

  // The best model with symbols of this kind.
  Plan fit(SymbolKind kind) {
    Plan plan{.model = model_of(kind, layout_, sample_)};
    room_for(taken_ + kSymbolSlack, scratch_.symbols);
    scratch_.rest.clear();
    make_symbols(plan.model, layout_, sample_.value, sample_.prediction, scratch_.symbols.data(),
                 scratch_.rest);
    const Histogram::Cost cost = cost_of(plan.model, {});
    plan.model.contexts = static_cast<uint8_t>(contexts_);
    plan.estimate = bytes_of(cost);
    plan.repeats = repeats_itself(scratch_.symbols.data(), taken_);
    const bool may_class = effort_.classes && kind == SymbolKind::kDifference;
    if (may_class && taken_ >= kLeastForClasses) try_classes(plan);
    return plan;
  }

 private:
  [[nodiscard]] uint64_t bytes_of(const Histogram::Cost& cost) const {
    constexpr uint64_t kHeader = 8;
    const uint64_t symbols = (cost.symbols >> kLog2Fraction) + scratch_.rest.bits();
    return kHeader + ((cost.tables >> kLog2Fraction) + symbols * units_ / taken_) / 8;
  }

  // With classes by these limits; without any, the best number of contexts is chosen too.
  Histogram::Cost cost_of(const Model& model, const ClassLimits& limits) {
    const uint8_t* contexts = nullptr;
    if (model.contexts > 1) {
      room_for(taken_ + kSymbolSlack, scratch_.contexts);
      contexts_of(layout_.bits / 8, sample_.prediction.data(), taken_,
                  model.context_leading(layout_), scratch_.contexts.data());
      contexts = scratch_.contexts.data();
    }
    if (limits.log2 == 0) {
      count(contexts, scratch_.symbols.data(), taken_, model.contexts, model);
      const auto choice =
          scratch_.histogram.enough_contexts(std::max<size_t>(units_ / taken_, 1), effort_);
      contexts_ = choice.contexts;
      return choice.cost;
    }
    find_classes(scratch_.activities, limits, scratch_.classes);
    scratch_.histogram.count(sort_symbols(nullptr, scratch_.classes.data(),
                                          scratch_.activities.size(), 1, scratch_.streams),
                             model.classes(), taken_ < units_);
    Histogram::Cost cost = scratch_.histogram.cost();
    add_classes(scratch_.classes, model.contexts, taken_, scratch_.contexts.data());
    count(contexts, scratch_.symbols.data(), taken_, model.streams(), model);
    cost.add(scratch_.histogram.cost());
    return cost;
  }

  void count(const uint8_t* contexts, const uint8_t* symbols, size_t units, unsigned streams,
             const Model& model) {
    scratch_.histogram.count(sort_symbols(contexts, symbols, units, streams, scratch_.streams),
                             symbol_count(model.kind, layout_), taken_ < units_);
  }

  void try_classes(Plan& plan) {
    find_activities(scratch_.symbols.data(), taken_, scratch_.activities);
    std::vector<uint16_t> sorted(scratch_.activities);
    std::ranges::sort(sorted);
    for (uint8_t log2 = 1; log2 <= kMostClassLog2; ++log2) {
      const ClassLimits limits = find_limits(sorted, log2);
      if (limits.log2 == 0) return;
      Model model = plan.model;
      model.class_log2 = log2;
      model.contexts = static_cast<uint8_t>(kMostStreams >> log2);
      const uint64_t bytes = bytes_of(cost_of(model, limits));
      if (bytes + bytes / kWorthwhile >= plan.estimate) continue;
      plan.model = model;
      plan.limits = limits;
      plan.estimate = bytes;
    }
  }

  const FloatLayout layout_;
  const Sample& sample_;
  const size_t taken_;
  const size_t units_;
  const Effort& effort_;
  Scratch& scratch_;
  unsigned contexts_ = 1;  // that are enough
};

}  // namespace

uint32_t find_symbol_top(const Model& model, FloatLayout layout, Bytes value) {
  const unsigned shift = layout.mantissa - model.symbol_bits;
  const size_t units = value.size() / (layout.bits / 8);
  uint32_t top = 0;
  with_bits(layout, [&](auto bits) {
    for (size_t i = 0; i < units; ++i) top = std::max(top, magnitude<decltype(bits)>(value, i));
  });
  return top >> shift;
}

Plan make_plan(FloatLayout layout, Bytes value, Bytes prediction, size_t units,
               const Effort& effort, Scratch& scratch) {
  const size_t unit = layout.bits / 8;
  const size_t part = std::max(units / effort.sampled_part, kLeastSample);
  const Sample sample =
      take_sample(value, prediction, unit, std::min(effort.sample, part), scratch.bytes);
  Fitter fitter(layout, sample, units, effort, scratch);
  std::optional<Plan> best;
  for (const SymbolKind kind : {SymbolKind::kDifference, SymbolKind::kLeading}) {
    if (kind == SymbolKind::kDifference && prediction.empty()) continue;
    // Leading symbols leave so many bits of each unit as they are.
    const size_t trailing = (layout.mantissa - std::min(2u, layout.mantissa)) * units;
    if (best && best->estimate <= trailing / 8) continue;
    const Plan plan = fitter.fit(kind);
    if (!best || plan.estimate < best->estimate) best = plan;
  }
  best->model.precision = best_precision(units, best->estimate);
  return *best;
}

}  // namespace finedelta::wavelet
