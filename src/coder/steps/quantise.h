// How residuals become whole numbers of steps: choices of the writer, which no reader has to know.
// The same residuals give the same numbers on every CPU.
#ifndef FINEDELTA_CODER_STEPS_QUANTISE_H_
#define FINEDELTA_CODER_STEPS_QUANTISE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace finedelta {

// A residual is what should be added to a prediction; one that is not finite counts as 0. A step is
// a positive normal number. Residuals come in rows of a matrix, the first from column `first` on.
struct StepsInput {
  std::span<const float> residuals;
  uint64_t columns = 1;
  uint64_t first = 0;
  float step = 0;
  // How much more than other errors that one counts which lies along a row's residuals, as does
  // what its numbers leave out: 1 for the least squared error. The more, the larger the scale.
  double missing = 1;
};

struct StepsChoice {
  float scale = 0;       // within the bounds of kernels/low_rank.h
  bool all_zero = true;  // such a chunk is its prediction
};

// Fills `steps` with as many numbers, of magnitudes up to 32767.
StepsChoice quantise_steps(const StepsInput& input, std::vector<int16_t>& steps);

// What becomes of residuals, for each: the bits of the entropy of order 0, signs included; the
// squared error that is left, what is missing counted in full and all else divided by
// `missing`; and the inner product with what comes of them.
struct StepsEstimate {
  double bits = 0;
  double error = 0;
  double captured = 0;
};
[[nodiscard]] StepsEstimate estimate_steps(const StepsInput& input);

}  // namespace finedelta

#endif  // FINEDELTA_CODER_STEPS_QUANTISE_H_
