// Which tensor of a base stands for one of its fine-tune, by their names alone.
#ifndef FINEDELTA_MATCH_BY_NAME_H_
#define FINEDELTA_MATCH_BY_NAME_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "match/candidates.h"

namespace finedelta {

// A tensor and the shard that it is in.
struct StoredTensor {
  const Shard* shard = nullptr;
  const safetensors::Tensor* tensor = nullptr;  // null: there is none
};

class BaseByName {
 public:
  // Refers to the base, which must stay.
  BaseByName(const Checkpoint& base, const Checkpoint& fine_tune);

  // The base's tensors of that name, or of what is left of it when a prefix is added or dropped
  // that many names of one of the models have: several shards may have one.
  [[nodiscard]] std::span<const StoredTensor> find_all(const std::string& name) const;

  // The first of those.
  [[nodiscard]] StoredTensor find(const std::string& name) const;

 private:
  std::map<std::string_view, std::vector<StoredTensor>> named_;
  Renaming renaming_;
};

}  // namespace finedelta

#endif  // FINEDELTA_MATCH_BY_NAME_H_
