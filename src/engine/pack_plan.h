// What goes into an archive, decided before anything is written: the index without its chunks.
#ifndef FINEDELTA_ENGINE_PACK_PLAN_H_
#define FINEDELTA_ENGINE_PACK_PLAN_H_

#include <optional>
#include <string>
#include <vector>

#include "archive/format.h"
#include "checkpoint/checkpoint.h"
#include "finedelta/options.h"
#include "finedelta/result.h"
#include "match/match.h"

namespace finedelta {

// The opened inputs of pack and plan.
struct Inputs {
  std::vector<Checkpoint> bases;
  Checkpoint fine_tune;

  // The base tensor at a place, and the shard it is in.
  [[nodiscard]] const Shard& shard(const TensorRef& ref) const {
    return bases[ref.checkpoint].shards[ref.shard];
  }
  [[nodiscard]] const safetensors::Tensor& tensor(const TensorRef& ref) const {
    return shard(ref).header.tensors[ref.tensor];
  }
};

Result<Inputs> open_inputs(const std::vector<std::string>& bases, const std::string& fine_tune,
                           bool all, const Options& options);

// match_tensors for these inputs.
Result<std::vector<Match>> match_inputs(const Inputs& inputs, const Options& options);

struct PackPlan {
  // Complete but for chunks, fingerprints, samples, identities and SHA-256.
  archive::Index index;
  // For each Index::base_tensors, its place in Inputs::bases.
  std::vector<TensorRef> base_refs;
  // For each Index::bases, its place in Inputs::bases.
  std::vector<uint32_t> bases;
};

// Puts the index together from the matches (in the order of match_tensors). Compares side files
// with the bases' by reading them. Only what is used of the bases is recorded.
Result<PackPlan> make_pack_plan(const Inputs& inputs, const std::vector<Match>& matches,
                                const Options& options);

// Calls use(file, tensor, shard, source) for the tensors of all shards in order: the records in
// `index`, which is that of a plan or of the archive that came of it, and what they stand for.
template <typename Index, typename Use>
void for_each_tensor(Index& index, const Inputs& inputs, Use use) {
  const Shard* shard = inputs.fine_tune.shards.data();
  for (auto& file : index.files) {
    if (file.kind != archive::FileKind::kShard) continue;
    for (size_t t = 0; t < file.tensors.size(); ++t) {
      use(file, file.tensors[t], *shard, shard->header.tensors[t]);
    }
    ++shard;
  }
}

// Reads one of Index::base_tensors; refers to both.
[[nodiscard]] TensorSource base_source(const Inputs& inputs, const PackPlan& plan,
                                       uint32_t base_tensor);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_PACK_PLAN_H_
