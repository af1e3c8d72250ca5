// How the bits of a floating-point type are divided.
#ifndef FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_
#define FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_

#include <cstdint>
#include <optional>

#include "numeric/dtype.h"

namespace finedelta {

// A sign, then an exponent, then `mantissa` bits; `bits` in all.
struct FloatLayout {
  unsigned bits = 0;
  unsigned mantissa = 0;
};

// Nothing for types that are not such floats of 8, 16 or 32 bits.
[[nodiscard]] constexpr std::optional<FloatLayout> float_layout(DType dtype) {
  switch (dtype) {
    case DType::kF8E4M3:
    case DType::kF8E4M3FNUZ:
      return FloatLayout{.bits = 8, .mantissa = 3};
    case DType::kF8E5M2:
    case DType::kF8E5M2FNUZ:
      return FloatLayout{.bits = 8, .mantissa = 2};
    case DType::kF16:
      return FloatLayout{.bits = 16, .mantissa = 10};
    case DType::kBF16:
      return FloatLayout{.bits = 16, .mantissa = 7};
    case DType::kF32:
      return FloatLayout{.bits = 32, .mantissa = 23};
    default:
      return std::nullopt;
  }
}

// Calls `call` with a value of the unsigned type of a float's bits.
template <typename Call>
auto with_bits(FloatLayout layout, Call call) {
  if (layout.bits == 8) return call(uint8_t{});
  if (layout.bits == 16) return call(uint16_t{});
  return call(uint32_t{});
}

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_
