#include "engine/input_stamps.h"

#include "base/error.h"

namespace finedelta {

namespace {

Status check_entry(const Entry& entry, const FileStamp& before) {
  if (entry.kind == EntryKind::kEmptyDirectory) return {};
  FINEDELTA_ASSIGN(const InputFile file, InputFile::open(entry.source));
  if (file.stamp() != before) return fail_changed(entry.source);
  return {};
}

}  // namespace

Result<InputStamps> InputStamps::take(const Inputs& inputs) {
  InputStamps stamps;
  FINEDELTA_ASSIGN(stamps.fine_tune_, take(inputs.fine_tune));
  for (const Checkpoint& base : inputs.bases) {
    FINEDELTA_ASSIGN(stamps.bases_.emplace_back(), take(base));
  }
  return stamps;
}

Result<InputStamps::Stamps> InputStamps::take(const Checkpoint& checkpoint) {
  Stamps stamps(checkpoint.entries.size());
  for (size_t i = 0; i < stamps.size(); ++i) {
    const Entry& entry = checkpoint.entries[i];
    if (entry.kind != EntryKind::kSideFile) continue;
    const auto file = InputFile::open(entry.source);
    // What can't be opened is missed where it is needed: of a base, perhaps nowhere.
    if (!file) continue;
    if (file->size() != entry.size) return fail_changed(entry.source);
    stamps[i] = file->stamp();
  }
  // Shards were opened before: their headers are of that moment.
  for (const Shard& shard : checkpoint.shards) stamps[shard.entry] = shard.file.stamp();
  return stamps;
}

Status InputStamps::check(const Inputs& inputs, const PackPlan& plan) const {
  for (size_t i = 0; i < fine_tune_.size(); ++i) {
    FINEDELTA_CHECK(check_entry(inputs.fine_tune.entries[i], fine_tune_[i]));
  }
  for (const Checkpoint& base : inputs.bases) {
    for (const Shard& shard : base.shards) FINEDELTA_CHECK(shard.file.check_unchanged());
  }
  for (const archive::BaseFile& file : plan.index.base_files) {
    const uint32_t base = plan.bases[file.base];
    const Entry* const entry = inputs.bases[base].find(file.path);
    FINEDELTA_CHECK(check_entry(*entry, bases_[base][entry - inputs.bases[base].entries.data()]));
  }
  return {};
}

}  // namespace finedelta
