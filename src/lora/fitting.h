// Fits of all matrices of a survey, as far as a budget needs them.
#ifndef FINEDELTA_LORA_FITTING_H_
#define FINEDELTA_LORA_FITTING_H_

#include <cstdint>
#include <vector>

#include "engine/resources.h"
#include "lora/fit_matrix.h"
#include "lora/spool.h"
#include "lora/survey.h"

namespace finedelta::peft {

class Fitting {
 public:
  // All must outlive it. The options have exactly one budget.
  Fitting(const Survey& survey, const LoraOptions& options, Spool& spool, ProgressMeter& progress);

  // Fits every matrix and decides on the ranks. kUsage where the budget can't be met.
  Result<Ranks> run();

  // The factors of a matrix for that rank. Any thread.
  [[nodiscard]] Result<MatrixFactors> read(size_t matrix, size_t rank) const;

 private:
  struct State {
    uint64_t place = 0;        // in the spool
    size_t tried = 0;          // the rank that was fitted last
    bool is_complete = false;  // a larger one would find nothing
  };

  [[nodiscard]] size_t largest(size_t matrix) const;
  Status fit(const std::vector<size_t>& matrices);
  Status keep(size_t matrix, const MatrixFit& fit);
  [[nodiscard]] Ranks choose() const;
  [[nodiscard]] Ranks choose_by_rank() const;
  [[nodiscard]] uint64_t size_of(const Ranks& ranks) const;
  [[nodiscard]] double wanted_gain() const;
  Status check(const Ranks& ranks) const;
  Status check_size(const Ranks& ranks) const;

  const Survey& survey_;
  const LoraOptions& options_;
  Spool& spool_;
  ProgressMeter& progress_;
  std::vector<State> states_;
  std::vector<Spectrum> spectra_;
  double energy_ = 0;  // of all matrices
};

// The most memory that a matrix of this shape and the factors found of it take.
[[nodiscard]] uint64_t worker_bytes(uint64_t rows, uint64_t columns, size_t rank);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_FITTING_H_
