// Factors of so many bits as a trade-off allows: what a lossy archive keeps of a matrix.
#ifndef FINEDELTA_LOSSY_LOSSY_FACTORS_H_
#define FINEDELTA_LOSSY_LOSSY_FACTORS_H_

#include <cstdint>
#include <optional>

#include "predict/low_rank/factors.h"
#include "predict/low_rank/fit.h"

namespace finedelta {

// How much larger the factors are made than they were found: by what share of the energy they have,
// to the power of -gain. What is left out of a fine-tune's difference is no noise: it has a share
// in what was learnt, and all matrices lack theirs. How it was measured: docs/lossy.md.
inline constexpr double kBehaviourGain = 0.35;  // for the least change of the model's behaviour
inline constexpr double kNoGain = 0;            // for the least error

// `distortion` is the mean square error that every value of the factors may add to the difference
// of fine-tune and base, the same for all matrices of a model; above 0. docs/lossy.md says how this
// was chosen. The factors of the directions that are worth it; none where none is.
//
// Time: (rows + columns) * rank * directions.rank() multiplications.
[[nodiscard]] std::optional<Factors> lossy_factors(uint64_t rows, uint64_t columns,
                                                   const SingularDirections& directions,
                                                   double distortion, double gain);

// The relative error of such factors without gain, but for the rounding to the tensor's type.
[[nodiscard]] double expected_error(uint64_t rows, uint64_t columns,
                                    const SingularDirections& directions, double distortion);

// From this distortion on there are none.
[[nodiscard]] double largest_distortion(uint64_t rows, uint64_t columns,
                                        const SingularDirections& directions);

}  // namespace finedelta

#endif  // FINEDELTA_LOSSY_LOSSY_FACTORS_H_
