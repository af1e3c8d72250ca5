// The scalar reference of product.h: what every vector loop has to equal.
#ifndef FINEDELTA_KERNELS_PRODUCT_SCALAR_H_
#define FINEDELTA_KERNELS_PRODUCT_SCALAR_H_

#include "kernels/product.h"

namespace finedelta::scalar {

inline void add_product(const StridedMatrix& a, const float* x, size_t width, float* out) {
  for (size_t i = 0; i < a.rows; ++i) {
    for (size_t j = 0; j < a.columns; ++j) {
      const float factor = a.data[i * a.row_step + j * a.column_step];
      for (size_t k = 0; k < width; ++k) out[i * width + k] += factor * x[j * width + k];
    }
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_PRODUCT_SCALAR_H_
