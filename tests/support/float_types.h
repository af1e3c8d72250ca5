// What tests of floats try: every type that casts know, and values that are no numbers.
#ifndef FINEDELTA_TESTS_SUPPORT_FLOAT_TYPES_H_
#define FINEDELTA_TESTS_SUPPORT_FLOAT_TYPES_H_

#include <array>
#include <limits>

#include "numeric/dtype.h"

namespace finedelta {

inline constexpr std::array<DType, 3> kCastableTypes = {DType::kF16, DType::kBF16, DType::kF32};

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_FLOAT_TYPES_H_
