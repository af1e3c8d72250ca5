// Sums of products of matrices of F32, the same bits on every target and compiler: each element is
// summed up in the order of its terms, and every product and every sum is rounded for itself.
#ifndef FINEDELTA_KERNELS_PRODUCT_H_
#define FINEDELTA_KERNELS_PRODUCT_H_

#include <cstddef>

namespace finedelta {

// Rows of `x` and `out` have a multiple of so many elements.
inline constexpr size_t kProductWidth = 16;
[[nodiscard]] constexpr size_t product_width(size_t columns) {
  return (columns + kProductWidth - 1) / kProductWidth * kProductWidth;
}

// Element (i, j) is data[i * row_step + j * column_step]: a matrix or its transpose.
struct StridedMatrix {
  const float* data;
  size_t rows;
  size_t columns;
  size_t row_step;
  size_t column_step;
};

// out += a * x, of row-major matrices: x has a.columns rows of `width` elements, out has a.rows.
// They do not overlap.
void add_product(const StridedMatrix& a, const float* x, size_t width, float* out);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_PRODUCT_H_
