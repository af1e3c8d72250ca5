// How often each symbol comes in each context.
#ifndef FINEDELTA_CODER_WAVELET_HISTOGRAM_H_
#define FINEDELTA_CODER_WAVELET_HISTOGRAM_H_

#include <array>
#include <cstdint>
#include <vector>

#include "coder/wavelet/effort.h"
#include "coder/wavelet/model.h"
#include "coder/wavelet/sorted_streams.h"
#include "coder/wavelet/table.h"

namespace finedelta::wavelet {

class Histogram {
 public:
  using Row = std::array<uint32_t, kMostSymbols>;

  Histogram() : rows_(kMostStreams) {}

  // Counts the symbols of these streams, all below `limit`, and forgets others. `is_sample`: they
  // are a sample of those that costs are asked for.
  void count(const SortedStreams& streams, unsigned limit, bool is_sample);

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

  // So many contexts that more would not be worth their time, where there are `times` as many
  // symbols as were counted.
  struct Choice {
    unsigned contexts = 1;
    Cost cost;
  };
  [[nodiscard]] Choice enough_contexts(uint64_t times, const Effort& effort) const;

  [[nodiscard]] const Row& row(unsigned context) const { return rows_[context]; }

 private:
  void add_row(const Row& from, Row& to) const;
  [[nodiscard]] Cost cost_of(const Row& row) const;

  unsigned used_ = kMostSymbols;  // entries of a row that may not be 0
  bool is_sample_ = false;
  std::vector<Row> rows_;
};

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_HISTOGRAM_H_
