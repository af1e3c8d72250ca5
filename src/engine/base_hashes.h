// The hashes that identify a base tensor, taken from its shard. docs/format.md, section 3.3.
#ifndef FINEDELTA_ENGINE_BASE_HASHES_H_
#define FINEDELTA_ENGINE_BASE_HASHES_H_

#include <cstdint>
#include <functional>
#include <span>

#include "base/hash.h"
#include "checkpoint/checkpoint.h"
#include "finedelta/progress.h"
#include "finedelta/result.h"

namespace finedelta {

// Of at most 64 KiB in the middle of the tensor.
Result<uint64_t> sample_hash(const Shard& shard, const safetensors::Tensor& tensor);

// Of the whole of a tensor that `read` fills buffers from, in order. `cancel` may be null.
Result<Hash128> fingerprint_of(DType dtype, std::span<const uint64_t> shape, uint64_t size,
                               const std::function<Status(uint64_t offset, MutableBytes to)>& read,
                               const Cancellation* cancel);
Result<Hash128> fingerprint_of(const Shard& shard, const safetensors::Tensor& tensor,
                               const Cancellation* cancel);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_BASE_HASHES_H_
