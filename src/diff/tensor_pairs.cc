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

TensorDiff describe(DiffPair& pair) {
  TensorDiff diff{.status = std::string(status_of(pair))};
  if (pair.base.tensor != nullptr) {
    diff.name = diff.base_tensor = pair.base.tensor->name;
    diff.base_dtype = dtype_name(pair.base.tensor->dtype);
    diff.base_shape = pair.base.tensor->shape;
  }
  if (pair.fine.tensor != nullptr) {
    diff.name = pair.fine.tensor->name;
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

}  // namespace

DiffPairs pair_for_diff(const Inputs& inputs) {
  const Checkpoint& base = inputs.bases[0];
  const BaseByName by_name(base, inputs.fine_tune);
  DiffPairs out;
  std::set<const safetensors::Tensor*> used;
  for (const Shard& shard : inputs.fine_tune.shards) {
    for (const safetensors::Tensor& tensor : shard.header.tensors) {
      const StoredTensor found = by_name.find(tensor.name);
      used.insert(found.tensor);
      out.pairs.push_back({.base = found, .fine = {.shard = &shard, .tensor = &tensor}});
    }
  }
  for (const Shard& shard : base.shards) {
    for (const safetensors::Tensor& tensor : shard.header.tensors) {
      if (used.contains(&tensor)) continue;
      out.pairs.push_back({.base = {.shard = &shard, .tensor = &tensor}, .fine = {}});
    }
  }
  out.diffs.reserve(out.pairs.size());
  for (DiffPair& pair : out.pairs) out.diffs.push_back(describe(pair));
  return out;
}

}  // namespace finedelta
