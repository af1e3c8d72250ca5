// The tensors in memory that an archive is applied to.
#ifndef FINEDELTA_APPLY_MODEL_IN_MEMORY_H_
#define FINEDELTA_APPLY_MODEL_IN_MEMORY_H_

#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "archive/archive.h"
#include "engine/tensor_bases.h"
#include "finedelta/apply.h"

namespace finedelta {

class ModelInMemory final : public TensorBases {
 public:
  // Both must outlive the model. Errors as of `apply`.
  static Result<ModelInMemory> match(const archive::Archive& archive,
                                     std::span<const TensorInMemory> tensors);

  // Where a tensor of the archive is.
  [[nodiscard]] MutableBytes data(const archive::Tensor& tensor) const {
    return data_.find(tensor.name)->second;
  }

  Status read(uint32_t base_tensor, uint64_t offset, MutableBytes to) const override;
  // Nothing: parts of the tensor may be changed already. `compare_tensor` tells, when they are not.
  Status check_tensor(uint32_t /*base_tensor*/) const override { return {}; }

  // Whether the whole of a base tensor is the one recorded: kWrongBase if not.
  [[nodiscard]] Status compare_tensor(uint32_t base_tensor) const;

 private:
  explicit ModelInMemory(const archive::Archive& archive) : archive_(&archive) {}

  const archive::Archive* archive_;
  std::map<std::string_view, MutableBytes> data_;
};

}  // namespace finedelta

#endif  // FINEDELTA_APPLY_MODEL_IN_MEMORY_H_
