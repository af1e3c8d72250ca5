// The scalar reference of planes.h: what every vector loop has to equal, and what finishes the
// elements that do not fill a vector. Each call takes the elements [begin, count).
#ifndef FINEDELTA_KERNELS_PLANES_SCALAR_H_
#define FINEDELTA_KERNELS_PLANES_SCALAR_H_

#include <cstddef>

namespace finedelta::scalar {

inline void xor_split(unsigned unit, const std::byte* value, const std::byte* prediction,
                      size_t begin, size_t count, std::byte* planes) {
  for (size_t k = 0; k < unit; ++k) {
    for (size_t i = begin; i < count; ++i) {
      const std::byte predicted = prediction == nullptr ? std::byte{0} : prediction[i * unit + k];
      planes[k * count + i] = value[i * unit + k] ^ predicted;
    }
  }
}

inline void xor_join(unsigned unit, const std::byte* planes, const std::byte* prediction,
                     size_t begin, size_t count, std::byte* value) {
  for (size_t i = begin; i < count; ++i) {
    for (size_t k = 0; k < unit; ++k) {
      const std::byte predicted = prediction == nullptr ? std::byte{0} : prediction[i * unit + k];
      value[i * unit + k] = planes[k * count + i] ^ predicted;
    }
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_PLANES_SCALAR_H_
