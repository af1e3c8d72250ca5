#include "match/by_name.h"

namespace finedelta {

BaseByName::BaseByName(const Checkpoint& base, const Checkpoint& fine_tune)
    : renaming_(find_renaming(base, fine_tune)) {
  for (const Shard& shard : base.shards) {
    for (const auto& tensor : shard.header.tensors) {
      named_[tensor.name].push_back({.shard = &shard, .tensor = &tensor});
    }
  }
}

std::span<const StoredTensor> BaseByName::find_all(const std::string& name) const {
  auto found = named_.find(name);
  if (found == named_.end() && name.starts_with(renaming_.drop)) {
    found = named_.find(renaming_.add + name.substr(renaming_.drop.size()));
  }
  if (found == named_.end()) return {};
  return found->second;
}

StoredTensor BaseByName::find(const std::string& name) const {
  const std::span<const StoredTensor> found = find_all(name);
  return found.empty() ? StoredTensor{} : found[0];
}

}  // namespace finedelta
