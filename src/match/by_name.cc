#include "match/by_name.h"

namespace finedelta {

BaseByName::BaseByName(const Checkpoint& base, const Checkpoint& fine_tune)
    : renaming_(find_renaming(base, fine_tune)) {
  for (const Shard& shard : base.shards) {
    for (const auto& tensor : shard.header.tensors) {
      named_.emplace(tensor.name, StoredTensor{.shard = &shard, .tensor = &tensor});
    }
  }
}

StoredTensor BaseByName::find(const std::string& name) const {
  auto found = named_.find(name);
  if (found == named_.end() && name.starts_with(renaming_.drop)) {
    found = named_.find(renaming_.add + name.substr(renaming_.drop.size()));
  }
  return found == named_.end() ? StoredTensor{} : found->second;
}

}  // namespace finedelta
