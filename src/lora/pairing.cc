#include "lora/pairing.h"

#include <set>

#include "match/by_name.h"

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
  const BaseByName base(inputs.bases[0], inputs.fine_tune);
  std::vector<TensorPair> pairs;
  std::set<std::pair<std::string, std::string>> seen;
  for (const Shard& shard : inputs.fine_tune.shards) {
    for (const auto& tensor : shard.header.tensors) {
      TensorPair& pair = pairs.emplace_back();
      pair.place = pairs.size() - 1;
      pair.shard = &shard;
      pair.tensor = &tensor;
      const StoredTensor found = base.find(tensor.name);
      pair.base_shard = found.shard;
      pair.base = found.tensor;
      const std::string& other = pair.base == nullptr ? tensor.name : pair.base->name;
      name_parts(longer_name(tensor.name, other), pair.module, pair.leaf);
      pair.is_repeated = !seen.emplace(pair.module, pair.leaf).second;
    }
  }
  return pairs;
}

}  // namespace finedelta::peft
