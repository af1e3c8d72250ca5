#include "match/candidates.h"

#include <algorithm>
#include <set>

#include "predict/base/base.h"

namespace finedelta {

namespace {

// Tensors of the same shape are worth comparing by content when they are large (embeddings), and
// only so many of them.
constexpr uint64_t kLeastContentBytes = 65536;
constexpr size_t kMostContentCandidates = 8;

template <typename Visit>
void for_each_tensor(const Checkpoint& checkpoint, Visit visit) {
  for (uint32_t s = 0; s < checkpoint.shards.size(); ++s) {
    const auto& tensors = checkpoint.shards[s].header.tensors;
    for (uint32_t t = 0; t < tensors.size(); ++t) visit(s, t, tensors[t]);
  }
}

std::set<std::string_view> names_of(const Checkpoint& checkpoint) {
  std::set<std::string_view> names;
  for_each_tensor(checkpoint, [&](uint32_t, uint32_t, const safetensors::Tensor& tensor) {
    names.insert(tensor.name);
  });
  return names;
}

// Counts, for each prefix that ends in '.', the names of `longer` that become names of `shorter`
// without it. Names that both have do not vote.
void count_prefixes(const std::set<std::string_view>& longer,
                    const std::set<std::string_view>& shorter,
                    std::map<std::string_view, size_t>& votes) {
  for (const std::string_view name : longer) {
    if (shorter.contains(name)) continue;
    for (size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
      if (shorter.contains(name.substr(dot + 1))) ++votes[name.substr(0, dot + 1)];
    }
  }
}

std::pair<std::string_view, size_t> most_votes(const std::map<std::string_view, size_t>& votes) {
  const auto best = std::ranges::max_element(
      votes, {}, [](const auto& prefix_and_votes) { return prefix_and_votes.second; });
  if (best == votes.end()) return {};
  return *best;
}

}  // namespace

Renaming find_renaming(const Checkpoint& base, const Checkpoint& fine_tune) {
  const auto base_names = names_of(base);
  const auto names = names_of(fine_tune);
  std::map<std::string_view, size_t> added;
  std::map<std::string_view, size_t> dropped;
  count_prefixes(names, base_names, added);
  count_prefixes(base_names, names, dropped);
  const auto [added_prefix, added_votes] = most_votes(added);
  const auto [dropped_prefix, dropped_votes] = most_votes(dropped);
  if (added_votes >= dropped_votes) return {.drop = std::string(added_prefix), .add = {}};
  return {.drop = {}, .add = std::string(dropped_prefix)};
}

Candidates::Candidates(std::span<const Checkpoint> bases, const Checkpoint& fine_tune)
    : bases_(bases), names_(bases.size()) {
  for (uint32_t b = 0; b < bases.size(); ++b) {
    for_each_tensor(bases[b], [&](uint32_t s, uint32_t t, const safetensors::Tensor& tensor) {
      const TensorRef ref{.checkpoint = b, .shard = s, .tensor = t};
      names_[b][tensor.name].push_back(ref);
      if (tensor.end - tensor.begin >= kLeastContentBytes) shapes_[tensor.shape].push_back(ref);
    });
    renamings_.push_back(find_renaming(bases[b], fine_tune));
  }
}

const Shard& Candidates::shard(const TensorRef& ref) const {
  return bases_[ref.checkpoint].shards[ref.shard];
}

const safetensors::Tensor& Candidates::tensor(const TensorRef& ref) const {
  return shard(ref).header.tensors[ref.tensor];
}

void Candidates::add_named(size_t base, const std::string& name, const safetensors::Tensor& wanted,
                           std::vector<TensorRef>& out) const {
  const auto found = names_[base].find(name);
  if (found == names_[base].end()) return;
  std::ranges::copy_if(found->second, std::back_inserter(out), [&](const TensorRef& ref) {
    return can_predict(tensor(ref).dtype, tensor(ref).shape, wanted.dtype, wanted.shape);
  });
}

Candidates::Found Candidates::find(const safetensors::Tensor& wanted) const {
  Found found;
  for (size_t b = 0; b < bases_.size(); ++b) {
    const size_t before = found.tensors.size();
    add_named(b, wanted.name, wanted, found.tensors);
    const Renaming& renaming = renamings_[b];
    if (found.tensors.size() == before && wanted.name.starts_with(renaming.drop)) {
      add_named(b, renaming.add + wanted.name.substr(renaming.drop.size()), wanted, found.tensors);
    }
  }
  if (!found.tensors.empty()) return found;
  found.by_content = true;
  const auto same_shape = shapes_.find(wanted.shape);
  if (same_shape == shapes_.end()) return found;
  for (const TensorRef& ref : same_shape->second) {
    if (found.tensors.size() == kMostContentCandidates) break;
    if (can_predict(tensor(ref).dtype, tensor(ref).shape, wanted.dtype, wanted.shape)) {
      found.tensors.push_back(ref);
    }
  }
  return found;
}

}  // namespace finedelta
