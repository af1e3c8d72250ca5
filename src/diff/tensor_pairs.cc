#include "diff/tensor_pairs.h"

#include <algorithm>
#include <set>

namespace finedelta {

namespace {

bool differs_in_first_dimension(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  return !a.empty() && a.size() == b.size() && std::equal(a.begin() + 1, a.end(), b.begin() + 1);
}

std::string_view status_of(const DiffPair& pair) {
  if (pair.base.tensor == nullptr) return "only in fine-tune";
  if (pair.fine.tensor == nullptr) return "only in base";
  const safetensors::Tensor& base = *pair.base.tensor;
  const safetensors::Tensor& fine = *pair.fine.tensor;
  if (base.dtype != fine.dtype) return "other dtype";
  if (base.shape == fine.shape) return "equal";
  return differs_in_first_dimension(base.shape, fine.shape) ? "resized" : "other shape";
}

class Pairing {
 public:
  explicit Pairing(const Inputs& inputs)
      : base_(inputs.bases[0]),
        fine_tune_(inputs.fine_tune),
        by_name_(inputs.bases[0], inputs.fine_tune) {}

  DiffPairs run() {
    for (const Shard& shard : fine_tune_.shards) {
      for (const safetensors::Tensor& tensor : shard.header.tensors) {
        const StoredTensor fine{.shard = &shard, .tensor = &tensor};
        const StoredTensor base = choose(fine);
        used_.insert(base.tensor);
        pairs_.push_back({.base = base, .fine = fine});
      }
    }
    for (const Shard& shard : base_.shards) {
      for (const safetensors::Tensor& tensor : shard.header.tensors) {
        if (used_.contains(&tensor)) continue;
        pairs_.push_back({.base = {.shard = &shard, .tensor = &tensor}, .fine = {}});
      }
    }
    std::vector<TensorDiff> diffs;
    diffs.reserve(pairs_.size());
    for (DiffPair& pair : pairs_) diffs.push_back(describe(pair));
    return {.pairs = std::move(pairs_), .diffs = std::move(diffs)};
  }

 private:
  [[nodiscard]] const std::string& base_path(const StoredTensor& tensor) const {
    return base_.entries[tensor.shard->entry].path;
  }
  [[nodiscard]] const std::string& fine_path(const StoredTensor& tensor) const {
    return fine_tune_.entries[tensor.shard->entry].path;
  }

  // Of several with a name, as the parts of a pipeline have: that of the shard with the same path,
  // else the first that no other tensor has taken.
  [[nodiscard]] StoredTensor choose(const StoredTensor& fine) const {
    const std::span<const StoredTensor> found = by_name_.find_all(fine.tensor->name);
    for (const StoredTensor& base : found) {
      if (base_path(base) == fine_path(fine)) return base;
    }
    for (const StoredTensor& base : found) {
      if (!used_.contains(base.tensor)) return base;
    }
    return found.empty() ? StoredTensor{} : found[0];
  }

  [[nodiscard]] TensorDiff describe(DiffPair& pair) const {
    TensorDiff diff{.status = std::string(status_of(pair))};
    if (pair.base.tensor != nullptr) {
      diff.name = diff.base_tensor = pair.base.tensor->name;
      diff.base_shard = base_path(pair.base);
      diff.base_dtype = dtype_name(pair.base.tensor->dtype);
      diff.base_shape = pair.base.tensor->shape;
    }
    if (pair.fine.tensor != nullptr) {
      diff.name = pair.fine.tensor->name;
      diff.shard = fine_path(pair.fine);
      diff.dtype = dtype_name(pair.fine.tensor->dtype);
      diff.shape = pair.fine.tensor->shape;
    }
    pair.compared = diff.status == "equal" || diff.status == "resized";
    if (pair.compared) {
      const auto size = [](const safetensors::Tensor& tensor) { return tensor.end - tensor.begin; };
      pair.bytes = std::min(size(*pair.base.tensor), size(*pair.fine.tensor));
      // 8 * bytes / bits, which might not fit where it is multiplied first.
      const unsigned bits = dtype_bits(pair.dtype());
      pair.elements = pair.bytes / bits * 8 + pair.bytes % bits * 8 / bits;
      diff.elements = pair.elements;
    }
    return diff;
  }

  const Checkpoint& base_;
  const Checkpoint& fine_tune_;
  BaseByName by_name_;
  std::vector<DiffPair> pairs_;
  std::set<const safetensors::Tensor*> used_;
};

}  // namespace

DiffPairs pair_for_diff(const Inputs& inputs) { return Pairing(inputs).run(); }

}  // namespace finedelta
