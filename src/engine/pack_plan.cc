#include "engine/pack_plan.h"

#include <algorithm>
#include <map>

#include "archive/index.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

// Larger files are seldom text that was edited, and hashing two of them costs more than it saves.
constexpr uint64_t kLargestPatched = uint64_t{32} << 20;

class Planner {
 public:
  Planner(const Inputs& inputs, const std::vector<Match>& matches, const Options& options)
      : inputs_(inputs), matches_(matches), options_(options) {}

  Result<PackPlan> make() {
    plan_.index.single_file = inputs_.fine_tune.single_file;
    const Shard* shard = inputs_.fine_tune.shards.data();
    for (const Entry& entry : inputs_.fine_tune.entries) {
      archive::File file;
      file.path = entry.path;
      file.executable = entry.executable;
      switch (entry.kind) {
        case EntryKind::kShard:
          plan_shard(*shard++, file);
          break;
        case EntryKind::kSideFile:
          FINEDELTA_CHECK(plan_side_file(entry, file));
          break;
        case EntryKind::kEmptyDirectory:
          file.kind = archive::FileKind::kEmptyDirectory;
          break;
      }
      plan_.index.files.push_back(std::move(file));
    }
    FINEDELTA_CHECK(archive::complete(plan_.index));
    return std::move(plan_);
  }

 private:
  void plan_shard(const Shard& shard, archive::File& file) {
    file.kind = archive::FileKind::kShard;
    const safetensors::Header& header = shard.header;
    file.canonical_header =
        safetensors::canonical_header(header.metadata, header.tensors) == header.json;
    (file.canonical_header ? file.metadata : file.header) =
        file.canonical_header ? header.metadata : header.json;
    for (const safetensors::Tensor& tensor : header.tensors) {
      archive::Tensor& planned = file.tensors.emplace_back();
      planned.name = tensor.name;
      planned.dtype = tensor.dtype;
      planned.shape = tensor.shape;
      const Match& match = matches_[next_match_++];
      planned.prediction.formula = match.prediction.formula;
      for (size_t i = 0; i < match.prediction.bases().size(); ++i) {
        planned.prediction.base_tensors[i] = base_tensor(match.prediction.base_tensors[i]);
      }
    }
  }

  // The number of a base among those that the archive records, in order of first use.
  uint32_t base(uint32_t given) {
    const auto found = std::ranges::find(plan_.bases, given);
    if (found != plan_.bases.end()) return static_cast<uint32_t>(found - plan_.bases.begin());
    const ModelName& model = inputs_.bases[given].model;
    plan_.bases.push_back(given);
    plan_.index.bases.push_back({.name = model.name, .revision = model.revision, .identity = {}});
    return static_cast<uint32_t>(plan_.bases.size() - 1);
  }

  uint32_t base_tensor(const TensorRef& ref) {
    const auto [found, is_new] =
        base_tensors_.emplace(ref, static_cast<uint32_t>(plan_.base_refs.size()));
    if (is_new) {
      const safetensors::Tensor& tensor = inputs_.tensor(ref);
      plan_.base_refs.push_back(ref);
      plan_.index.base_tensors.push_back({.base = base(ref.checkpoint),
                                          .name = tensor.name,
                                          .dtype = tensor.dtype,
                                          .shape = tensor.shape,
                                          .fingerprint = {},
                                          .sample = 0});
    }
    return found->second;
  }

  // A base's file of the same path, and how the fine-tune's file is stored by means of it.
  struct Older {
    archive::FileKind kind = archive::FileKind::kStored;
    uint32_t given_base = 0;
    const Entry* entry = nullptr;
    Hash128 hash;
  };

  Status plan_side_file(const Entry& entry, archive::File& file) {
    file.size = entry.size;
    file.kind = archive::FileKind::kEmbedded;
    if (entry.size <= archive::kLargestEmbedded) return {};
    Older best;
    for (uint32_t b = 0; b < inputs_.bases.size(); ++b) {
      FINEDELTA_ASSIGN(const Older older, compare(b, entry));
      const bool better =
          best.kind == archive::FileKind::kStored || older.kind == archive::FileKind::kReference;
      if (better) best = older;
      if (best.kind == archive::FileKind::kReference) break;
    }
    file.kind = best.kind;
    if (best.kind == archive::FileKind::kStored) return {};
    file.base_file = static_cast<uint32_t>(plan_.index.base_files.size());
    plan_.index.base_files.push_back({.base = base(best.given_base),
                                      .path = best.entry->path,
                                      .size = best.entry->size,
                                      .hash = best.hash});
    return {};
  }

  Result<Older> compare(uint32_t given_base, const Entry& entry) const {
    const Entry* const older = inputs_.bases[given_base].find(entry.path);
    if (!older || older->kind != EntryKind::kSideFile) return Older{};
    const bool may_refer = older->size == entry.size;
    const bool may_patch = older->size > 0 && std::max(older->size, entry.size) <= kLargestPatched;
    if (!may_refer && !may_patch) return Older{};
    Older found{.given_base = given_base, .entry = older};
    FINEDELTA_ASSIGN(found.hash, hash(*older));
    if (may_patch) found.kind = archive::FileKind::kPatch;
    if (may_refer) {
      FINEDELTA_ASSIGN(const Hash128 newer, hash(entry));
      if (newer == found.hash) found.kind = archive::FileKind::kReference;
    }
    return found;
  }

  Result<Hash128> hash(const Entry& entry) const {
    FINEDELTA_ASSIGN(const InputFile file, InputFile::open(entry.source));
    return hash_file(file, options_.cancel);
  }

  const Inputs& inputs_;
  const std::vector<Match>& matches_;
  const Options& options_;
  PackPlan plan_;
  size_t next_match_ = 0;
  std::map<TensorRef, uint32_t> base_tensors_;
};

}  // namespace

Result<Inputs> open_inputs(const std::vector<std::string>& bases, const std::string& fine_tune,
                           bool all, const Options& options) {
  Inputs inputs;
  HeaderBudget budget(options);
  const auto open = [&](const std::string& argument, Role role) -> Result<Checkpoint> {
    const bool is_base = role == Role::kBase;
    const CheckpointOptions wanted{.role = role,
                                   .all = all && !is_base,
                                   .header_limit = budget.limit(),
                                   .note = is_base ? NoteCallback() : options.note};
    FINEDELTA_ASSIGN(Checkpoint checkpoint, open_checkpoint(argument, wanted));
    budget.spend(checkpoint.header_bytes());
    return checkpoint;
  };
  for (const std::string& base : bases) {
    FINEDELTA_ASSIGN(inputs.bases.emplace_back(), open(base, Role::kBase));
  }
  FINEDELTA_ASSIGN(inputs.fine_tune, open(fine_tune, Role::kFineTune));
  return inputs;
}

Result<std::vector<Match>> match_inputs(const Inputs& inputs, const Options& options) {
  // What sampling takes for each thread.
  constexpr uint64_t kSamplerBytes = uint64_t{4} << 20;
  const unsigned threads = affordable_workers(options, kSamplerBytes, 0);
  return match_tensors(inputs.bases, inputs.fine_tune, threads, options.cancel);
}

Result<PackPlan> make_pack_plan(const Inputs& inputs, const std::vector<Match>& matches,
                                const Options& options) {
  return Planner(inputs, matches, options).make();
}

TensorSource base_source(const Inputs& inputs, const PackPlan& plan, uint32_t base_tensor) {
  const TensorRef& ref = plan.base_refs[base_tensor];
  return tensor_source(inputs.shard(ref), inputs.tensor(ref));
}

}  // namespace finedelta
