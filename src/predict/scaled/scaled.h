// Predictor "scaled": the values of a base tensor times one factor. See spec.md beside it.
#ifndef FINEDELTA_PREDICT_SCALED_SCALED_H_
#define FINEDELTA_PREDICT_SCALED_SCALED_H_

#include <span>
#include <vector>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// As predict_from_base, but times `factor` (is_scale), for castable dtypes.
void predict_scaled(DType base_dtype, Bytes base, float factor, DType dtype,
                    MutableBytes prediction);

// Factors other than 1 that are worth trying where `base` is to predict `value`, of as many
// elements: none to a few, the likeliest of a person's first; the same on every machine.
[[nodiscard]] std::vector<float> fit_scales(std::span<const float> base,
                                            std::span<const float> value);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_SCALED_SCALED_H_
