// Splitting elements into byte planes and back, with the XOR of a prediction on the way.
#ifndef FINEDELTA_KERNELS_PLANES_H_
#define FINEDELTA_KERNELS_PLANES_H_

#include <cstddef>

namespace finedelta {

// `value` XOR `prediction`, `count` elements of `unit` bytes each (1, 2, 4 or 8), as `unit` planes
// of `count` bytes: plane k holds byte k of every element, the lowest byte first. A null prediction
// stands for zeros. Pointers may be unaligned; `planes` overlaps nothing.
void xor_split(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
               std::byte* planes);

// The inverse: elements from `planes`, XOR `prediction`. `value` overlaps nothing.
void xor_join(unsigned unit, const std::byte* planes, const std::byte* prediction, size_t count,
              std::byte* value);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_PLANES_H_
