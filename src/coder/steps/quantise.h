// How residuals become whole numbers of steps: choices of the writer, which no reader has to know.
// The same residuals give the same numbers on every CPU.
#ifndef FINEDELTA_CODER_STEPS_QUANTISE_H_
#define FINEDELTA_CODER_STEPS_QUANTISE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace finedelta {

// A residual is what should be added to a prediction; one that is not finite counts as 0. A step is
// a positive normal number.

struct StepsChoice {
  float scale = 0;       // within the bounds of kernels/low_rank.h
  bool all_zero = true;  // such a chunk is its prediction
};

// Fills `steps` with as many numbers, of magnitudes up to 32767. The scale is the one with which
// they leave the least squared error.
StepsChoice quantise_steps(std::span<const float> residuals, float step,
                           std::vector<int16_t>& steps);

// What becomes of residuals with that step, for each: the bits of the entropy of order 0, signs
// included, and the squared error that is left.
struct StepsEstimate {
  double bits = 0;
  double error = 0;
};
[[nodiscard]] StepsEstimate estimate_steps(std::span<const float> residuals, float step);

}  // namespace finedelta

#endif  // FINEDELTA_CODER_STEPS_QUANTISE_H_
