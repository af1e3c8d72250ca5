// How the bits of a floating-point type are divided.
#ifndef FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_
#define FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_

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

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_FLOAT_LAYOUT_H_
