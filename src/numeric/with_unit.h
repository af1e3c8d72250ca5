// Loops over units are templates of the unit's type; callers know how many bytes it has.
#ifndef FINEDELTA_NUMERIC_WITH_UNIT_H_
#define FINEDELTA_NUMERIC_WITH_UNIT_H_

#include <cstdint>

namespace finedelta {

// Calls `call` with a value of the unsigned type of 1, 2, 4 or 8 bytes; returns what it returns.
// Kernels have one of their own for each target: kernels/with_unit-inl.h.
template <typename Call>
auto with_unit(unsigned unit, Call call) {
  switch (unit) {
    case 1:
      return call(uint8_t{});
    case 2:
      return call(uint16_t{});
    case 4:
      return call(uint32_t{});
    default:
      return call(uint64_t{});
  }
}

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_WITH_UNIT_H_
