// The scalar reference of residual.h, for units of type T. Each call takes the units [begin,
// count).
#ifndef FINEDELTA_KERNELS_RESIDUAL_SCALAR_H_
#define FINEDELTA_KERNELS_RESIDUAL_SCALAR_H_

#include <algorithm>

#include "base/bytes.h"
#include "kernels/residual.h"

namespace finedelta::scalar {

template <typename T>
inline constexpr T kSign = static_cast<T>(T{1} << (8 * sizeof(T) - 1));

template <typename T>
T magnitude(T value) {
  return static_cast<T>(value & static_cast<T>(~kSign<T>));
}

template <typename T>
T load_unit(const std::byte* from, size_t i) {
  return load<T>(from + i * sizeof(T));
}

// All bits set where the sign bit is.
template <typename T>
T spread_sign(T value) {
  return static_cast<T>(value >= kSign<T> ? ~T{0} : T{0});
}

template <typename T>
void make_differences(const std::byte* value, const std::byte* prediction, size_t begin,
                      size_t count, std::byte* differences) {
  for (size_t i = begin; i < count; ++i) {
    const T x = load_unit<T>(value, i);
    const T p = load_unit<T>(prediction, i);
    const T folded = static_cast<T>(magnitude(x) ^ spread_sign(static_cast<T>(x ^ p)));
    store(differences + i * sizeof(T), static_cast<T>(folded - magnitude(p)));
  }
}

template <typename T>
T apply_difference(T prediction, T difference) {
  const T folded = static_cast<T>(magnitude(prediction) + difference);
  const T other = spread_sign(folded);
  return static_cast<T>(((prediction ^ other) & kSign<T>) | static_cast<T>(folded ^ other));
}

template <typename T>
void symbols_of_differences(const std::byte* differences, size_t begin, size_t count,
                            uint8_t* symbols) {
  for (size_t i = begin; i < count; ++i) {
    const T d = load_unit<T>(differences, i);
    const T zigzag = static_cast<T>(static_cast<T>(d << 1) ^ spread_sign(d));
    symbols[i] = static_cast<uint8_t>(std::min<T>(zigzag, kLargeDifference));
  }
}

// `large` begins with the first difference at or behind `begin`. Returns where they end.
template <typename T>
const std::byte* values_of_symbols(const uint8_t* symbols, const std::byte* large,
                                   const std::byte* prediction, size_t begin, size_t count,
                                   std::byte* value) {
  for (size_t i = begin; i < count; ++i) {
    T difference{};
    if (symbols[i] >= kLargeDifference) {
      difference = load<T>(large);
      large += sizeof(T);
    } else {
      const T half = static_cast<T>(symbols[i] >> 1);
      difference = static_cast<T>((symbols[i] & 1) != 0 ? static_cast<T>(~half) : half);
    }
    store(value + i * sizeof(T), apply_difference(load_unit<T>(prediction, i), difference));
  }
  return large;
}

template <typename T>
uint32_t below_top(T value, LeadingBits bits) {
  const uint32_t leading = static_cast<uint32_t>(magnitude(value)) >> bits.shift;
  return std::min<uint32_t>(bits.top - std::min(leading, bits.top), bits.most);
}

template <typename T>
void contexts_of(const std::byte* value, size_t begin, size_t count, LeadingBits bits,
                 uint8_t* contexts) {
  for (size_t i = begin; i < count; ++i) {
    contexts[i] = static_cast<uint8_t>(below_top(load_unit<T>(value, i), bits));
  }
}

template <typename T>
void leading_symbols(const std::byte* value, const std::byte* prediction, size_t begin,
                     size_t count, LeadingBits bits, uint8_t* symbols) {
  for (size_t i = begin; i < count; ++i) {
    const T x = load_unit<T>(value, i);
    const T p = prediction != nullptr ? load_unit<T>(prediction, i) : T{0};
    const uint32_t other_sign = (x ^ p) >= kSign<T> ? 1 : 0;
    symbols[i] = static_cast<uint8_t>(2 * below_top(x, bits) + other_sign);
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_RESIDUAL_SCALAR_H_
