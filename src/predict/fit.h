// What the fits of factors share.
//
// The factors become part of an archive, which is to be the same from every CPU and compiler: sums
// run in order of the elements, in double, with + - * / alone.
#ifndef FINEDELTA_PREDICT_FIT_H_
#define FINEDELTA_PREDICT_FIT_H_

#include <bit>
#include <cmath>
#include <cstdint>

#include "numeric/float_linear.h"

namespace finedelta {

// Whether a number may take part in a fit; all others would spoil it.
[[nodiscard]] inline bool is_fit(float value) {
  return is_safe_f32(std::bit_cast<uint32_t>(value));
}

// The nearest multiple of 1 / `parts`: what a person may have written.
[[nodiscard]] inline double rounded_to(double factor, int parts) {
  return std::floor(factor * parts + 0.5) / parts;
}

// Into how many parts of 1 a person's factors divide it: 0.05, and the halves of halves.
inline constexpr int kUsualParts[] = {20, 64};

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_FIT_H_
