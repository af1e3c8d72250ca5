// What a lossy archive keeps of a matrix: factors, and steps of what they leave.
#ifndef FINEDELTA_LOSSY_APPROXIMATION_H_
#define FINEDELTA_LOSSY_APPROXIMATION_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "predict/low_rank/factors.h"
#include "predict/low_rank/fit.h"

namespace finedelta {

// What is left out of a fine-tune's difference is no noise: it has a share in what was learnt, and
// all matrices lack theirs. How the numbers were found: docs/lossy.md.
struct Aim {
  // What is kept is made larger than it was found: by what share of the energy it has, to the power
  // of -gain.
  double gain = 0;
  double missing = 1;  // coder/steps/quantise.h
};
inline constexpr Aim kBehaviour{.gain = 0.35, .missing = 5};  // least change of what the model does
inline constexpr Aim kLeastError{};

// A matrix's difference from its base, as far as it is known.
struct Difference {
  uint64_t rows = 0;
  uint64_t columns = 0;
  SingularDirections directions;
  // Pieces of rows, so long, of what all of them leave; empty where that is nothing.
  std::vector<float> rest;
  uint64_t piece = 1;

  [[nodiscard]] double elements() const {
    return static_cast<double>(rows) * static_cast<double>(columns);
  }
};

struct Approximation {
  std::optional<Factors> factors;  // none: the base is all that is predicted
  double strength = 1;             // what the difference is multiplied by
  float step = 0;                  // coder/steps; 0: what the factors leave is left out
  double step_bytes = 0;           // what those may be expected to take
};

// At the same trade-off for all matrices of a model: `distortion` as of lossy_factors.h.
[[nodiscard]] Approximation approximate(const Difference& difference, double distortion,
                                        const Aim& aim);

// About what that takes: a rough measure, but one that only needs the values of the directions and
// the rest.
struct ExpectedBytes {
  double factors = 0;
  float step = 0;  // as of Approximation
  double steps = 0;
};
[[nodiscard]] ExpectedBytes expected_bytes(const Difference& difference, double distortion,
                                           const Aim& aim);

// The relative error that it may be expected to have with kLeastError, but for the rounding to the
// tensor's type.
[[nodiscard]] double expected_error(const Difference& difference, double distortion);

}  // namespace finedelta

#endif  // FINEDELTA_LOSSY_APPROXIMATION_H_
