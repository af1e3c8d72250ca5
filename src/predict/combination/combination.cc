#include "predict/combination/combination.h"

namespace finedelta {

void predict_combination(const FloatArray& first, const FloatArray& second,
                         const float (&factors)[2], DType dtype, MutableBytes prediction) {
  combine_elements(first, second, factors, prediction.size() / dtype_unit(dtype), dtype,
                   prediction.data());
}

}  // namespace finedelta
