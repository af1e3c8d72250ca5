#include "apply/model_in_memory.h"

#include <algorithm>

#include "base/error.h"
#include "engine/base_hashes.h"

namespace finedelta {

namespace {

constexpr std::string_view kNotInPlace = "it can't be changed in place";

// Whether the tensor is stored against the one of its name, or against none.
Status check_prediction(const archive::Index& index, const archive::Tensor& tensor) {
  const std::span<const uint32_t> bases = tensor.prediction.bases();
  if (bases.empty()) return {};
  if (bases.size() > 1) {
    return fail(ErrorCode::kUsage, "tensor {} is a sum of two: {}", quote(tensor.name),
                kNotInPlace);
  }
  const archive::BaseTensor& base = index.base_tensors[bases[0]];
  if (base.name == tensor.name && base.dtype == tensor.dtype && base.shape == tensor.shape) {
    return {};
  }
  return fail(ErrorCode::kUsage,
              "tensor {} is stored against {} of the base, or one of another type or shape: {}",
              quote(tensor.name), quote(base.name), kNotInPlace);
}

Status check_kind(const archive::Tensor& tensor, const TensorInMemory& memory) {
  if (memory.dtype != dtype_name(tensor.dtype) || memory.shape != tensor.shape ||
      memory.data.size() != tensor.bytes) {
    return fail(ErrorCode::kUsage, "tensor {} has another type or shape in memory than in {}",
                quote(tensor.name), "the archive");
  }
  return {};
}

Status check_apart(std::span<const TensorInMemory> tensors) {
  std::vector<const TensorInMemory*> order;
  for (const TensorInMemory& tensor : tensors) {
    if (!tensor.data.empty()) order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, [](const TensorInMemory* tensor) { return tensor->data.data(); });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->data.data() + order[i - 1]->data.size() <= order[i]->data.data()) continue;
    return fail(ErrorCode::kUsage, "tensors {} and {} share memory", quote(order[i - 1]->name),
                quote(order[i]->name));
  }
  return {};
}

}  // namespace

Result<ModelInMemory> ModelInMemory::match(const archive::Archive& archive,
                                           std::span<const TensorInMemory> tensors) {
  std::map<std::string_view, const TensorInMemory*> by_name;
  for (const TensorInMemory& tensor : tensors) {
    if (by_name.emplace(tensor.name, &tensor).second) continue;
    return fail(ErrorCode::kUsage, "two tensors are called {}", quote(tensor.name));
  }
  ModelInMemory model(archive);
  for (const archive::File& file : archive.index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      const auto found = by_name.find(tensor.name);
      if (found == by_name.end()) {
        return fail(ErrorCode::kUsage, "tensor {} of the archive is not in memory",
                    quote(tensor.name));
      }
      FINEDELTA_CHECK(check_kind(tensor, *found->second));
      FINEDELTA_CHECK(check_prediction(archive.index, tensor));
      if (!model.data_.emplace(tensor.name, found->second->data).second) {
        return fail(ErrorCode::kUsage, "two shards have a tensor {}", quote(tensor.name));
      }
    }
  }
  for (const TensorInMemory& tensor : tensors) {
    if (model.data_.contains(tensor.name)) continue;
    return fail(ErrorCode::kUsage, "tensor {} is in memory, but not in the archive",
                quote(tensor.name));
  }
  FINEDELTA_CHECK(check_apart(tensors));
  return model;
}

Status ModelInMemory::read(uint32_t base_tensor, uint64_t offset, MutableBytes to) const {
  const MutableBytes from = data_.find(archive_->index.base_tensors[base_tensor].name)->second;
  std::ranges::copy(from.subspan(offset, to.size()), to.begin());
  return {};
}

Status ModelInMemory::compare_tensor(uint32_t base_tensor) const {
  const archive::BaseTensor& wanted = archive_->index.base_tensors[base_tensor];
  FINEDELTA_ASSIGN(
      const Hash128 fingerprint,
      fingerprint_of(
          wanted.dtype, wanted.shape, data_.find(wanted.name)->second.size(),
          [&](uint64_t offset, MutableBytes to) { return read(base_tensor, offset, to); },
          nullptr));
  if (fingerprint == wanted.fingerprint) return {};
  return fail(ErrorCode::kWrongBase,
              "wrong base: tensor {} in memory differs from the one that the archive was made from",
              quote(wanted.name));
}

}  // namespace finedelta
