// Predictor "combination": a weighted sum of two base tensors. See spec.md beside it.
#ifndef FINEDELTA_PREDICT_COMBINATION_COMBINATION_H_
#define FINEDELTA_PREDICT_COMBINATION_COMBINATION_H_

#include <array>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "kernels/linear.h"
#include "numeric/dtype.h"

namespace finedelta {

// Fills `prediction` with factors[0] * first + factors[1] * second (is_coefficient); both hold as
// many elements. For castable dtypes.
void predict_combination(const FloatArray& first, const FloatArray& second,
                         const float (&factors)[2], DType dtype, MutableBytes prediction);

using CombinationFactors = std::array<float, 2>;

// Factors that are worth trying where `first` and `second` are to predict `value`, all of as many
// elements: none to a few, the likeliest of a person's first, those of least squares last; the same
// on every machine.
[[nodiscard]] std::vector<CombinationFactors> fit_combination(std::span<const float> first,
                                                              std::span<const float> second,
                                                              std::span<const float> value);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_COMBINATION_COMBINATION_H_
