// The scalar reference of compare.h: what every vector loop has to equal.
#ifndef FINEDELTA_KERNELS_COMPARE_SCALAR_H_
#define FINEDELTA_KERNELS_COMPARE_SCALAR_H_

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/cast_scalar.h"
#include "kernels/compare.h"
#include "kernels/residual_scalar.h"

namespace finedelta::scalar {

struct F64 {
  using Bits = uint64_t;
  static uint64_t widen(Bits value) { return value; }
};

inline double number(uint32_t bits) { return std::bit_cast<float>(bits); }
inline double number(uint64_t bits) { return std::bit_cast<double>(bits); }

inline void count_special(double value, SpecialCounts& counts) {
  counts.nans += std::isnan(value) ? 1 : 0;
  counts.infinities += std::isinf(value) ? 1 : 0;
}

// How far apart two numbers are in the order of all numbers of their type, in which -0 comes
// before +0, and NaNs of each sign behind its infinity.
template <typename T>
T distance(T x, T y) {
  const T a = magnitude(x);
  const T b = magnitude(y);
  if ((x ^ y) >= kSign<T>) return static_cast<T>(a + b + 1);
  return static_cast<T>(std::max(a, b) - std::min(a, b));
}

inline void add_sums(double base, double fine, size_t lane, CompareSums& sums) {
  const double delta = fine - base;
  sums.base[lane] += base * base;
  sums.fine[lane] += fine * fine;
  sums.delta[lane] += delta * delta;
  sums.product[lane] += base * fine;
  sums.largest[lane] = std::max(sums.largest[lane], std::abs(delta));
}

template <class Type>
void compare(const std::byte* base, const std::byte* fine, size_t count, FloatComparison& to) {
  using Bits = typename Type::Bits;
  for (size_t i = 0; i < count; ++i) {
    const Bits x = load_unit<Bits>(base, i);
    const Bits y = load_unit<Bits>(fine, i);
    const auto differing = static_cast<Bits>(x ^ y);
    const auto width = static_cast<size_t>(std::bit_width(distance(x, y)));
    for (size_t b = 0; b < 8 * sizeof(Bits); ++b) to.bits[b] += differing >> b & 1;
    for (size_t k = 0; k < width; ++k) ++to.apart[k];
    const double from = number(Type::widen(x));
    const double into = number(Type::widen(y));
    count_special(from, to.base);
    count_special(into, to.fine);
    if (std::isfinite(from) && std::isfinite(into)) {
      add_sums(from, into, i % kCompareLanes, to.sums);
    }
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_COMPARE_SCALAR_H_
