// The scalar reference of cast.h: what every vector loop has to equal, and what finishes the
// elements that do not fill a vector.
#ifndef FINEDELTA_KERNELS_CAST_SCALAR_H_
#define FINEDELTA_KERNELS_CAST_SCALAR_H_

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "numeric/float_cast.h"

namespace finedelta::scalar {

// How one element of each type is read as the bits of an F32 and written from them.
struct F16 {
  using Bits = uint16_t;
  static uint32_t widen(Bits value) { return f32_from_f16(value); }
  static Bits narrow(uint32_t value) { return f16_from_f32(value); }
};

struct BF16 {
  using Bits = uint16_t;
  static uint32_t widen(Bits value) { return f32_from_bf16(value); }
  static Bits narrow(uint32_t value) { return bf16_from_f32(value); }
};

struct F32 {
  using Bits = uint32_t;
  static uint32_t widen(Bits value) { return value; }
  static Bits narrow(uint32_t value) { return value; }
};

// The elements [begin, count).
template <class From, class To>
void cast(const std::byte* in, size_t begin, size_t count, std::byte* out) {
  for (size_t i = begin; i < count; ++i) {
    const auto value = load<typename From::Bits>(in + i * sizeof(typename From::Bits));
    store(out + i * sizeof(typename To::Bits), To::narrow(From::widen(value)));
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_CAST_SCALAR_H_
