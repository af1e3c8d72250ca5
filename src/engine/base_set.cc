#include "engine/base_set.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/file_hash.h"
#include "checkpoint/hf_cache.h"
#include "engine/base_hashes.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

std::string type_and_shape(DType dtype, const std::vector<uint64_t>& shape) {
  return fmt::format("{} [{}]", dtype_name(dtype), fmt::join(shape, ", "));
}

std::vector<uint32_t> all_of(size_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

}  // namespace

Result<BaseSet> BaseSet::open(const archive::Archive& archive,
                              const std::vector<std::string>& arguments, const Options& options) {
  BaseSet set(archive, options);
  set.places_.resize(archive.index.base_tensors.size());
  set.files_.resize(archive.index.base_files.size());
  for (const std::string& argument : arguments) FINEDELTA_CHECK(set.add(argument));
  set.given_ = arguments.size();
  return set;
}

Status BaseSet::add(const std::string& argument) {
  HeaderBudget budget(*options_);
  for (const Opened& opened : opened_) budget.spend(opened.checkpoint.header_bytes());
  const CheckpointOptions checkpoint_options{
      .role = Role::kBase, .all = false, .header_limit = budget.limit(), .note = {}};
  FINEDELTA_ASSIGN(Checkpoint checkpoint, open_checkpoint(argument, checkpoint_options));
  Opened& opened = opened_.emplace_back();
  opened.checkpoint = std::move(checkpoint);
  for (const Shard& shard : opened.checkpoint.shards) {
    for (size_t t = 0; t < shard.header.tensors.size(); ++t) {
      opened.tensors[shard.header.tensors[t].name].emplace_back(&shard, t);
    }
  }
  return {};
}

Result<BaseSet::Place> BaseSet::find_tensor(const archive::BaseTensor& wanted) {
  std::string why = "is missing";
  std::vector<std::pair<Opened*, Place>> found;
  for (Opened& opened : opened_) {
    const auto named = opened.tensors.find(wanted.name);
    if (named == opened.tensors.end()) continue;
    for (const auto& [shard, t] : named->second) {
      const safetensors::Tensor& tensor = shard->header.tensors[t];
      if (tensor.dtype != wanted.dtype || tensor.shape != wanted.shape) {
        why = fmt::format("is {} where the archive was made from {}",
                          type_and_shape(tensor.dtype, tensor.shape),
                          type_and_shape(wanted.dtype, wanted.shape));
        continue;
      }
      FINEDELTA_ASSIGN(const uint64_t sample, sample_hash(*shard, tensor));
      if (sample == wanted.sample) {
        found.emplace_back(&opened, Place{.shard = shard, .tensor = &tensor});
      } else {
        why = "differs from the one that the archive was made from (another revision?)";
      }
    }
  }
  if (found.empty()) {
    return fail(ErrorCode::kWrongBase, "wrong base: tensor {} {}", quote(wanted.name), why);
  }
  FINEDELTA_ASSIGN(const size_t chosen, choose(found, wanted.fingerprint));
  found[chosen].first->used = true;
  return found[chosen].second;
}

// The place in `found` (not empty) of the tensor with this fingerprint. A single one is not hashed,
// since the results prove it; where none fits, the first is taken for the same reason.
Result<size_t> BaseSet::choose(const std::vector<std::pair<Opened*, Place>>& found,
                               const Hash128& fingerprint) const {
  for (size_t i = 0; found.size() > 1 && i < found.size(); ++i) {
    const Place& place = found[i].second;
    FINEDELTA_ASSIGN(const Hash128 hash,
                     fingerprint_of(*place.shard, *place.tensor, options_->cancel));
    if (hash == fingerprint) return i;
  }
  return 0;
}

Result<InputFile> BaseSet::find_file(const archive::BaseFile& wanted) {
  std::string why = "is missing";
  for (Opened& opened : opened_) {
    const Entry* const entry = opened.checkpoint.find(wanted.path);
    if (!entry || entry->kind != EntryKind::kSideFile) continue;
    Result<InputFile> file = InputFile::open(entry->source);
    if (!file) {
      why = fmt::format("can't be read: {}", file.error().message);
      continue;
    }
    if (file->size() != wanted.size) {
      why =
          fmt::format("has {} bytes where the archive was made from {}", file->size(), wanted.size);
      continue;
    }
    FINEDELTA_ASSIGN(const Hash128 hash, hash_file(*file, options_->cancel));
    if (hash == wanted.hash) {
      opened.used = true;
      return file;
    }
    why = "differs from the one that the archive was made from";
  }
  return fail(ErrorCode::kWrongBase, "wrong base: file {} {}", quote(wanted.path), why);
}

Status BaseSet::locate(const Wanted& wanted) {
  const archive::Index& index = archive_->index;
  for (const uint32_t i : wanted.tensors) {
    FINEDELTA_ASSIGN(places_[i], find_tensor(index.base_tensors[i]));
  }
  for (const uint32_t i : wanted.files) {
    FINEDELTA_ASSIGN(files_[i], find_file(index.base_files[i]));
  }
  return {};
}

Status BaseSet::locate_in_cache(uint32_t base, const Wanted& wanted, const Status& without) {
  const archive::Base& recorded = archive_->index.bases[base];
  Status found = without;
  for (const std::string& snapshot :
       cached_snapshots({.name = recorded.name, .revision = recorded.revision})) {
    // A snapshot that can't be opened is none of the user's business here.
    if (!add(snapshot)) continue;
    found = locate(wanted);
    if (found) return found;
    opened_.pop_back();
  }
  if (given_ > 0) return without;
  const std::string name = recorded.name.empty()
                               ? "the base"
                               : fmt::format("the base {} (revision {})", quote(recorded.name),
                                             quote(recorded.revision));
  return fail(ErrorCode::kFailure,
              "{} is needed, and it is not in the local Hugging Face cache; give its path", name);
}

Status BaseSet::require(std::vector<uint32_t> base_tensors, std::vector<uint32_t> base_files) {
  const archive::Index& index = archive_->index;
  const auto base_of_tensor = [&](uint32_t i) { return index.base_tensors[i].base; };
  const auto base_of_file = [&](uint32_t i) { return index.base_files[i].base; };
  const auto sort_by_base = [](std::vector<uint32_t>& records, const auto& base_of) {
    std::ranges::sort(records, {}, [&](uint32_t i) { return std::pair(base_of(i), i); });
  };
  sort_by_base(base_tensors, base_of_tensor);
  sort_by_base(base_files, base_of_file);
  for (uint32_t base = 0; base < index.bases.size(); ++base) {
    const Wanted wanted{.tensors = std::ranges::equal_range(base_tensors, base, {}, base_of_tensor),
                        .files = std::ranges::equal_range(base_files, base, {}, base_of_file)};
    if (wanted.tensors.empty() && wanted.files.empty()) continue;
    Status found = locate(wanted);
    if (!found && given_ < index.bases.size() && found.error().code == ErrorCode::kWrongBase) {
      found = locate_in_cache(base, wanted, found);
    }
    if (!found) return found;
  }
  return {};
}

Status BaseSet::require_tensors(const std::vector<uint32_t>& base_tensors) {
  return require(base_tensors, {});
}

Status BaseSet::require_files(const std::vector<uint32_t>& base_files) {
  return require({}, base_files);
}

Status BaseSet::require_all_tensors() {
  return require(all_of(archive_->index.base_tensors.size()), {});
}

Status BaseSet::require_all_files() {
  return require({}, all_of(archive_->index.base_files.size()));
}

Status BaseSet::read(uint32_t base_tensor, uint64_t offset, MutableBytes to) const {
  const Place& place = places_[base_tensor];
  return place.shard->read(*place.tensor, offset, to);
}

Status BaseSet::check_tensor(uint32_t base_tensor) const {
  const archive::BaseTensor& wanted = archive_->index.base_tensors[base_tensor];
  const Place& place = places_[base_tensor];
  FINEDELTA_ASSIGN(const Hash128 fingerprint,
                   fingerprint_of(*place.shard, *place.tensor, options_->cancel));
  if (fingerprint == wanted.fingerprint) return {};
  return fail(ErrorCode::kWrongBase,
              "wrong base: tensor {} differs from the one that the archive was made from "
              "(another revision, or damaged)",
              quote(wanted.name));
}

Status BaseSet::check_file(uint32_t base_file) const {
  const archive::BaseFile& wanted = archive_->index.base_files[base_file];
  FINEDELTA_ASSIGN(const Hash128 hash, hash_file(file(base_file), options_->cancel));
  if (hash == wanted.hash) return {};
  return fail(ErrorCode::kWrongBase,
              "wrong base: file {} differs from the one that the archive was made from",
              quote(wanted.path));
}

std::vector<std::string> BaseSet::locations() const {
  std::vector<std::string> out;
  for (const Opened& opened : opened_) {
    if (opened.used) out.push_back(opened.checkpoint.location);
  }
  return out;
}

std::vector<std::string> BaseSet::all_locations() const {
  std::vector<std::string> out;
  for (const Opened& opened : opened_) out.push_back(opened.checkpoint.location);
  return out;
}

}  // namespace finedelta
