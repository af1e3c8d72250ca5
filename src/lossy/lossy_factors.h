// Factors of so many bits as a trade-off allows: the first that a lossy archive keeps of a matrix.
#ifndef FINEDELTA_LOSSY_LOSSY_FACTORS_H_
#define FINEDELTA_LOSSY_LOSSY_FACTORS_H_

#include <cstdint>
#include <optional>

#include "predict/low_rank/factors.h"
#include "predict/low_rank/fit.h"

namespace finedelta {

// The step that rounds with such a mean square error, which is its square over 12.
[[nodiscard]] float step_for(double distortion);

// `distortion` is the mean square error that every value of the factors may add to the difference
// of fine-tune and base, the same for all matrices of a model; above 0. docs/lossy.md says how this
// was chosen.
struct LossyFactors {
  Factors factors;
  double captured = 0;  // the inner product of what they make and of the difference, above 0
};

// Those of the directions that are worth it; none where none is.
//
// Time: (rows + columns) * rank * directions.rank() multiplications.
[[nodiscard]] std::optional<LossyFactors> lossy_factors(uint64_t rows, uint64_t columns,
                                                        const SingularDirections& directions,
                                                        double distortion);

// About what those take, in bytes; of the directions only the values are needed.
[[nodiscard]] double expected_factor_bytes(uint64_t rows, uint64_t columns,
                                           const SingularDirections& directions, double distortion);

// The energy that such factors leave, but for the rounding to the tensor's type.
[[nodiscard]] double energy_left(uint64_t rows, uint64_t columns,
                                 const SingularDirections& directions, double distortion);

// From this distortion on there are none.
[[nodiscard]] double largest_distortion(uint64_t rows, uint64_t columns,
                                        const SingularDirections& directions);

}  // namespace finedelta

#endif  // FINEDELTA_LOSSY_LOSSY_FACTORS_H_
