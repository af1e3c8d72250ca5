#include "lora/pairing.h"

#include <map>
#include <set>
#include <tuple>

#include "match/candidates.h"

namespace finedelta::peft {

void name_parts(std::string_view name, std::string& module, std::string& leaf) {
  const size_t dot = name.rfind('.');
  module = dot == std::string_view::npos ? "" : name.substr(0, dot);
  leaf = dot == std::string_view::npos ? name : name.substr(dot + 1);
}

const std::string& longer_name(const std::string& a, const std::string& b) {
  return b.size() > a.size() ? b : a;
}

std::vector<TensorPair> pair_tensors(const Inputs& inputs) {
  const Checkpoint& base = inputs.bases[0];
  std::map<std::string_view, std::pair<const Shard*, const safetensors::Tensor*>> named;
  for (const Shard& shard : base.shards) {
    for (const auto& tensor : shard.header.tensors) {
      named.emplace(tensor.name, std::pair(&shard, &tensor));
    }
  }
  const Renaming renaming = find_renaming(base, inputs.fine_tune);
  const auto find = [&](const std::string& name) {
    const auto found = named.find(name);
    if (found != named.end() || !name.starts_with(renaming.drop)) return found;
    return named.find(renaming.add + name.substr(renaming.drop.size()));
  };
  std::vector<TensorPair> pairs;
  std::set<std::pair<std::string, std::string>> seen;
  for (const Shard& shard : inputs.fine_tune.shards) {
    for (const auto& tensor : shard.header.tensors) {
      TensorPair& pair = pairs.emplace_back();
      pair.place = pairs.size() - 1;
      pair.shard = &shard;
      pair.tensor = &tensor;
      if (const auto found = find(tensor.name); found != named.end()) {
        std::tie(pair.base_shard, pair.base) = found->second;
      }
      const std::string& other = pair.base == nullptr ? tensor.name : pair.base->name;
      name_parts(longer_name(tensor.name, other), pair.module, pair.leaf);
      pair.is_repeated = !seen.emplace(pair.module, pair.leaf).second;
    }
  }
  return pairs;
}

}  // namespace finedelta::peft
