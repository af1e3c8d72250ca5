// About what the parts of an archive take that are no tensors, from its plan alone.
#ifndef FINEDELTA_ENGINE_SIZE_ESTIMATE_H_
#define FINEDELTA_ENGINE_SIZE_ESTIMATE_H_

#include <cstdint>

#include "archive/format.h"

namespace finedelta {

// Bytes. `index` is complete but for its chunks.
[[nodiscard]] uint64_t index_estimate(const archive::Index& index);
[[nodiscard]] uint64_t side_estimate(const archive::Index& index);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_SIZE_ESTIMATE_H_
