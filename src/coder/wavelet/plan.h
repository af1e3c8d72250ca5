// Which model suits a chunk, and about how large the chunk then becomes.
#ifndef FINEDELTA_CODER_WAVELET_PLAN_H_
#define FINEDELTA_CODER_WAVELET_PLAN_H_

#include <array>
#include <cstdint>
#include <vector>

#include "coder/wavelet/classes.h"
#include "coder/wavelet/model.h"
#include "coder/wavelet/table.h"

namespace finedelta::wavelet {

struct Scratch;  // scratch.h, which needs Plan

// How often each symbol comes in each context.
class Histogram {
 public:
  using Row = std::array<uint32_t, kMostSymbols>;

  Histogram() : rows_(kMostContexts), others_(kMostContexts) {}

  // `contexts` may be null: then all are 0.
  void count(const uint8_t* contexts, const uint8_t* symbols, size_t units);

  // Adds the rows from `contexts` - 1 on together: what remains when there are no more contexts.
  void merge(unsigned contexts);

  // About how many bits symbols take, in units of 2^-16 bits: `tables`, which do not grow with the
  // number of symbols, and `symbols`.
  struct Cost {
    uint64_t tables = 0;
    uint64_t symbols = 0;
    [[nodiscard]] uint64_t all() const { return tables + symbols; }
    void add(const Cost& other) {
      tables += other.tables;
      symbols += other.symbols;
    }
  };

  // Of the rows as they are.
  [[nodiscard]] Cost cost() const;

  // So many contexts that more would save next to nothing.
  struct Choice {
    unsigned contexts = 1;
    Cost cost;
  };
  [[nodiscard]] Choice enough_contexts() const;

  [[nodiscard]] const Row& row(unsigned context) const { return rows_[context]; }

 private:
  std::vector<Row> rows_;
  std::vector<Row> others_;  // what half of the units are counted in
};

struct Plan {
  Model model;  // without symbol_top, and with as many contexts as there can be
  ClassLimits limits;
  uint64_t estimate = 0;  // bytes
  bool repeats = false;   // what matches earlier bytes may find something in it
};

// From a sample of the chunk. `prediction` is empty or as long as `value`, which is not empty.
Plan make_plan(FloatLayout layout, Bytes value, Bytes prediction, Scratch& scratch);

// The highest leading bits of all values.
uint32_t find_symbol_top(const Model& model, FloatLayout layout, Bytes value);

// The precision of tables that is best for so many units.
uint8_t best_precision(size_t units);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_PLAN_H_
