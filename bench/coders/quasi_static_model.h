// Adaptive statistics whose table stays as it is for a while (M. Schindler's quasi-static model):
// the table in use comes from the symbols before; new counts replace it every 1024 symbols, at
// first sooner, and old ones count half each time.
#ifndef FINEDELTA_BENCH_CODERS_QUASI_STATIC_MODEL_H_
#define FINEDELTA_BENCH_CODERS_QUASI_STATIC_MODEL_H_

#include <array>
#include <cstdint>

#include "range_coder.h"

namespace finedelta::bench {

class QuasiStaticModel {
 public:
  static constexpr unsigned kMostSymbols = 129;

  explicit QuasiStaticModel(unsigned symbols);

  // The part of 2^kRangeTotalLog that stands for a symbol; never empty.
  [[nodiscard]] uint32_t begin(unsigned symbol) const { return begins_[symbol]; }
  [[nodiscard]] uint32_t size(unsigned symbol) const {
    return begins_[symbol + 1] - begins_[symbol];
  }

  // The symbol whose part holds `target`.
  [[nodiscard]] unsigned find(uint32_t target) const {
    unsigned symbol = first_[target >> kSearchShift];
    while (begins_[symbol + 1] <= target) ++symbol;
    return symbol;
  }

  void update(unsigned symbol) {
    if (left_ == larger_) ++increment_;
    counts_[symbol] += increment_;
    if (--left_ == 0) rebuild();
  }

 private:
  static constexpr uint32_t kTotal = 1u << kRangeTotalLog;
  static constexpr unsigned kSearchShift = 7;
  static constexpr uint32_t kLongestInterval = 1024;

  void rebuild();

  unsigned symbols_;
  uint32_t interval_ = 16;  // symbols between two tables
  uint32_t left_ = 0;       // of them
  uint32_t larger_ = 0;     // so many of the last ones count one more, that the sum is kTotal
  uint32_t increment_ = 0;
  std::array<uint32_t, kMostSymbols> counts_{};
  std::array<uint32_t, kMostSymbols + 1> begins_{};
  std::array<uint8_t, (kTotal >> kSearchShift)> first_{};  // where `find` begins
};

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_QUASI_STATIC_MODEL_H_
