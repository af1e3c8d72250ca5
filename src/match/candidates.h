// Base tensors that a tensor may be matched with, by name and shape alone.
#ifndef FINEDELTA_MATCH_CANDIDATES_H_
#define FINEDELTA_MATCH_CANDIDATES_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "match/match.h"

namespace finedelta {

// How names of the fine-tune become names of a base: drop one prefix, then add the other.
struct Renaming {
  std::string drop;
  std::string add;
};

// The tensors of all bases, by name and by shape. Refers to the checkpoints, which must stay.
class Candidates {
 public:
  Candidates(std::span<const Checkpoint> bases, const Checkpoint& fine_tune);

  // Those that can predict `wanted`, in order of base, shard and place. `by_content` tells that no
  // name spoke for them.
  struct Found {
    std::vector<TensorRef> tensors;
    bool by_content = false;
  };
  [[nodiscard]] Found find(const safetensors::Tensor& wanted) const;

  [[nodiscard]] const Shard& shard(const TensorRef& ref) const;
  [[nodiscard]] const safetensors::Tensor& tensor(const TensorRef& ref) const;

 private:
  using ByName = std::map<std::string_view, std::vector<TensorRef>>;

  void add_named(size_t base, const std::string& name, const safetensors::Tensor& wanted,
                 std::vector<TensorRef>& out) const;

  std::span<const Checkpoint> bases_;
  std::vector<ByName> names_;        // for each base
  std::vector<Renaming> renamings_;  // for each base
  std::map<std::vector<uint64_t>, std::vector<TensorRef>> shapes_;
};

// The prefix that most names of the fine-tune without a namesake in the base add or drop; empty
// where none does.
[[nodiscard]] Renaming find_renaming(const Checkpoint& base, const Checkpoint& fine_tune);

}  // namespace finedelta

#endif  // FINEDELTA_MATCH_CANDIDATES_H_
