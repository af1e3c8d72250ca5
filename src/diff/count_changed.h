// How many elements of two arrays have other bits.
#ifndef FINEDELTA_DIFF_COUNT_CHANGED_H_
#define FINEDELTA_DIFF_COUNT_CHANGED_H_

#include <cstdint>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// `base` and `fine` hold as many whole elements of `dtype`; elements of 6 bits by fours in 3 bytes.
[[nodiscard]] uint64_t count_changed(DType dtype, Bytes base, Bytes fine);

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_COUNT_CHANGED_H_
