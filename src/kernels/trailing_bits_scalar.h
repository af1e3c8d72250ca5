// The scalar reference of trailing_bits.h, for units of type T. Each call takes the units [begin,
// count).
#ifndef FINEDELTA_KERNELS_TRAILING_BITS_SCALAR_H_
#define FINEDELTA_KERNELS_TRAILING_BITS_SCALAR_H_

#include "base/bytes.h"
#include "kernels/trailing_bits.h"

namespace finedelta::scalar {

template <typename T>
void put_trailing_bits(const std::byte* value, size_t begin, size_t count, unsigned width,
                       BitSink& bits) {
  for (size_t i = begin; i < count; ++i) {
    bits.put(load<T>(value + i * sizeof(T)) & ((uint64_t{1} << width) - 1), width);
  }
}

template <typename T>
void values_of_leading(const uint8_t* symbols, size_t begin, size_t count, uint32_t top,
                       const std::byte* prediction, const std::byte* bits, size_t at,
                       unsigned width, std::byte* value) {
  constexpr unsigned kSignPlace = 8 * sizeof(T) - 1;
  for (size_t i = begin; i < count; ++i) {
    const size_t place = at + i * width;
    const uint64_t low =
        load<uint64_t>(bits + place / 8) >> place % 8 & ((uint64_t{1} << width) - 1);
    const uint32_t magnitude = (top - symbols[i] / 2) << width | static_cast<uint32_t>(low);
    uint32_t sign = symbols[i] & 1;
    if (prediction != nullptr) sign ^= load<T>(prediction + i * sizeof(T)) >> kSignPlace;
    store(value + i * sizeof(T), static_cast<T>(magnitude | sign << kSignPlace));
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_TRAILING_BITS_SCALAR_H_
