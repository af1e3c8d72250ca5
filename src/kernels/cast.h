// Conversion between float types of whole arrays; the rules are those of numeric/float_cast.h, bit
// by bit, on every target.
#ifndef FINEDELTA_KERNELS_CAST_H_
#define FINEDELTA_KERNELS_CAST_H_

#include <cstddef>
#include <span>

#include "numeric/dtype.h"

namespace finedelta {

// True for F16, BF16 and F32.
[[nodiscard]] bool is_castable(DType type);

// True for two different types of those.
[[nodiscard]] bool can_cast(DType from, DType to);

// Converts `count` elements; needs can_cast(from, to). F16 and BF16 become each other by way of
// F32, so there is one rounding. Pointers may be unaligned; `out` does not overlap `in`.
void cast_elements(DType from, DType to, const std::byte* in, size_t count, std::byte* out);

// The values of as many elements of F16, BF16 or F32.
void widen_elements(DType from, const std::byte* in, std::span<float> out);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_CAST_H_
