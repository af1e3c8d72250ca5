// Base tensors as a decoder sees them, wherever they are.
#ifndef FINEDELTA_ENGINE_TENSOR_BASES_H_
#define FINEDELTA_ENGINE_TENSOR_BASES_H_

#include <cstdint>

#include "base/bytes.h"
#include "finedelta/result.h"

namespace finedelta {

// Base tensors are numbered as in the archive's index. Any thread.
class TensorBases {
 public:
  // Fills `to` from a base tensor's bytes at `offset`.
  virtual Status read(uint32_t base_tensor, uint64_t offset, MutableBytes to) const = 0;

  // Whether the whole of a base tensor is the one recorded: kWrongBase if not.
  virtual Status check_tensor(uint32_t base_tensor) const = 0;

 protected:
  ~TensorBases() = default;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_TENSOR_BASES_H_
