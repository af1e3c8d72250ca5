// A checkpoint as finedelta sees it: the files below a directory (or one file), and the tensors in
// those that are shards.
#ifndef FINEDELTA_CHECKPOINT_CHECKPOINT_H_
#define FINEDELTA_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "finedelta/progress.h"
#include "finedelta/result.h"
#include "safetensors/header.h"

namespace finedelta {

enum class EntryKind : uint8_t { kShard, kSideFile, kEmptyDirectory };

struct Entry {
  std::string path;    // relative, '/' between parts; for a single file, its name
  std::string source;  // where the bytes are: an absolute path with symbolic links resolved
  EntryKind kind = EntryKind::kSideFile;
  bool executable = false;  // the owner's bit
  uint64_t size = 0;
};

struct Shard {
  size_t entry = 0;  // index into Checkpoint::entries
  InputFile file;
  safetensors::Header header;
};

// The name under which a model is known in the Hugging Face cache; both empty for other paths.
struct ModelName {
  std::string name;      // "org/name"
  std::string revision;  // the commit, as the cache's snapshot folder is called
  bool operator==(const ModelName&) const = default;
};

struct Checkpoint {
  std::string location;  // absolute path of the directory or file, for messages
  ModelName model;
  bool single_file = false;
  std::vector<Entry> entries;  // sorted by path, bytewise
  std::vector<Shard> shards;   // in order of their entries
};

enum class Role : uint8_t {
  kBase,     // must be sound: a bad shard or shard index is kDamaged
  kFineTune  // is kept as it is: a bad shard becomes a side file, with a note
};

struct CheckpointOptions {
  Role role = Role::kFineTune;
  bool all = false;                                     // keep .git/ and .cache/huggingface/
  uint64_t header_limit = safetensors::kLargestHeader;  // bytes of all shard headers together
  NoteCallback note;                                    // may be empty
};

// Opens what the user named: an existing path wins; else `org/name[@revision]` in the local Hugging
// Face cache (never fetched). kFailure when there is neither.
//
// Symbolic links are followed to regular files inside the model's own storage only: the directory
// itself or, in the Hugging Face cache, its models--ORG--NAME folder; any other link, a link to a
// directory below the top, devices, sockets and FIFOs are kDamaged. So are a Git LFS pointer in
// place of a shard, and a single file that is not a valid safetensors file.
Result<Checkpoint> open_checkpoint(std::string_view argument, const CheckpointOptions& options);

// The snapshot folders in the local Hugging Face cache that may hold `model`: the recorded revision
// of the recorded name first; where no name is recorded, every snapshot there is. Absolute paths.
std::vector<std::string> cached_snapshots(const ModelName& model);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_CHECKPOINT_H_
