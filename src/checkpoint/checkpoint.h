// A checkpoint as finedelta sees it: the files below a directory (or one file), and the tensors in
// those that are shards.
#ifndef FINEDELTA_CHECKPOINT_CHECKPOINT_H_
#define FINEDELTA_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "checkpoint/hf_cache.h"
#include "checkpoint/walk.h"
#include "finedelta/progress.h"
#include "finedelta/result.h"
#include "safetensors/header.h"

namespace finedelta {

struct Shard {
  size_t entry = 0;  // index into Checkpoint::entries
  InputFile file;    // opened under the name that the user sees, for messages
  safetensors::Header header;

  // Fills `to` with the bytes of one of its tensors from `offset` on.
  Status read(const safetensors::Tensor& tensor, uint64_t offset, MutableBytes to) const {
    return file.read(header.data_offset() + tensor.begin + offset, to);
  }
};

struct Checkpoint {
  std::string location;  // absolute path of the directory or file, for messages
  ModelName model;       // of a snapshot in a Hugging Face cache, or of a file in one
  bool single_file = false;
  std::vector<Entry> entries;  // sorted by path, bytewise
  std::vector<Shard> shards;   // in order of their entries

  // The entry with this path, or null.
  [[nodiscard]] const Entry* find(std::string_view path) const;

  // Bytes of all files.
  [[nodiscard]] uint64_t file_bytes() const;
  // Bytes of all shard headers.
  [[nodiscard]] uint64_t header_bytes() const;
};

enum class Role : uint8_t {
  kBase,     // must be sound: a bad shard or shard index is kDamaged
  kFineTune  // is kept as it is: a bad shard becomes a side file, with a note
};

struct CheckpointOptions {
  Role role = Role::kFineTune;
  bool all = false;  // keep .git/ and .cache/huggingface/
  // Bytes of all shard headers together, and of each shard index. More is kFailure.
  uint64_t header_limit = safetensors::kLargestHeader;
  NoteCallback note;  // may be empty
};

// Opens what the user named: an existing path wins; else `org/name[@revision]` in the local Hugging
// Face cache (never fetched). kFailure when there is neither. Holds each shard open.
//
// Symbolic links are followed to regular files inside the model's own storage only: the directory
// itself or, in the Hugging Face cache, its models--ORG--NAME folder; any other link, a link to a
// directory below the top, devices, sockets and FIFOs are kDamaged (of a base they are left out,
// unless they stand in place of a shard). So are a Git LFS pointer in
// place of a shard, and a single file that is not a valid safetensors file.
Result<Checkpoint> open_checkpoint(std::string_view argument, const CheckpointOptions& options);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_CHECKPOINT_H_
