#include "predict/scaled/scaled.h"

#include <algorithm>

#include "kernels/linear.h"

namespace finedelta {

void predict_scaled(DType base_dtype, Bytes base, float factor, DType dtype,
                    MutableBytes prediction) {
  const size_t known = base.size() / dtype_unit(base_dtype);
  scale_elements({base_dtype, base.data()}, factor, known, dtype, prediction.data());
  std::ranges::fill(prediction.subspan(known * dtype_unit(dtype)), std::byte{0});
}

}  // namespace finedelta
