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
        pairs_.push_back({.base = {}, .fine = {.shard = &shard, .tensor = &tensor}});
      }
    }
    // Parts of a pipeline have tensors of one name, each in a shard of its own.
    find_bases({.same_name = true, .same_path = true});
    find_bases({.same_name = true, .same_path = false});
    find_bases({.same_name = false, .same_path = false});
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

  struct Wanted {
    bool same_name = false;  // not one that differs by a prefix
    bool same_path = false;  // of the shard
  };

  // For tensors that have none yet, the first such one that no other tensor has.
  void find_bases(Wanted wanted) {
    for (DiffPair& pair : pairs_) {
      if (pair.base.tensor != nullptr) continue;
      for (const StoredTensor& base : by_name_.find_all(pair.fine.tensor->name)) {
        if (wanted.same_name && base.tensor->name != pair.fine.tensor->name) continue;
        if (wanted.same_path && base_path(base) != fine_path(pair.fine)) continue;
        if (!used_.insert(base.tensor).second) continue;
        pair.base = base;
        break;
      }
    }
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
