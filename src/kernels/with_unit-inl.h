// Kernels are templates of the type of a unit; callers say how many bytes it has. Included once for
// each Highway target, by .cc files only.
#if defined(FINEDELTA_KERNELS_WITH_UNIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FINEDELTA_KERNELS_WITH_UNIT_INL_H_
#undef FINEDELTA_KERNELS_WITH_UNIT_INL_H_
#else
#define FINEDELTA_KERNELS_WITH_UNIT_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

// Calls `call` with a value of the unit's type, of 1, 2 or 4 bytes; returns what it returns.
template <class Call>
HWY_INLINE auto with_unit(unsigned unit, const Call& call) {
  if (unit == 1) return call(uint8_t{});
  if (unit == 2) return call(uint16_t{});
  return call(uint32_t{});
}

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
