// Multiples and sums of arrays of floats, of types that may differ; the rules are those of
// numeric/float_linear.h and numeric/float_cast.h, bit by bit, on every target. All types are
// castable (kernels/cast.h). Pointers may be unaligned; `out` overlaps nothing.
#ifndef FINEDELTA_KERNELS_LINEAR_H_
#define FINEDELTA_KERNELS_LINEAR_H_

#include <cstddef>

#include "numeric/dtype.h"

namespace finedelta {

// Elements of one type, anywhere in memory.
struct FloatArray {
  DType type;
  const std::byte* data;
};

// Widens `count` elements to F32, multiplies them by `factor` (see is_scale) and narrows them to
// `to`.
void scale_elements(const FloatArray& in, float factor, size_t count, DType to, std::byte* out);

// The same for factors[0] * first + factors[1] * second (see is_coefficient).
void combine_elements(const FloatArray& first, const FloatArray& second, const float (&factors)[2],
                      size_t count, DType to, std::byte* out);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_LINEAR_H_
