// The scalar reference of linear.h: what every vector loop has to equal, and what finishes the
// elements that do not fill a vector. Each call takes the elements [begin, count).
#ifndef FINEDELTA_KERNELS_LINEAR_SCALAR_H_
#define FINEDELTA_KERNELS_LINEAR_SCALAR_H_

#include <cstddef>

#include "kernels/cast_scalar.h"
#include "numeric/float_linear.h"

namespace finedelta::scalar {

// The bits of element i as F32.
template <class From>
uint32_t load_wide(const std::byte* in, size_t i) {
  return From::widen(load<typename From::Bits>(in + i * sizeof(typename From::Bits)));
}

template <class From, class To>
void scale(const std::byte* in, float factor, size_t begin, size_t count, std::byte* out) {
  for (size_t i = begin; i < count; ++i) {
    const uint32_t wide = scaled_f32(load_wide<From>(in, i), factor);
    store(out + i * sizeof(typename To::Bits), To::narrow(wide));
  }
}

template <class First, class Second, class To>
void combine(const std::byte* first, const std::byte* second, const float (&factors)[2],
             size_t begin, size_t count, std::byte* out) {
  for (size_t i = begin; i < count; ++i) {
    const uint32_t wide =
        combined_f32(load_wide<First>(first, i), load_wide<Second>(second, i), factors);
    store(out + i * sizeof(typename To::Bits), To::narrow(wide));
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_LINEAR_SCALAR_H_
