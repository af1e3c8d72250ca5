// What lies below a model's directory, with every link judged.
#ifndef FINEDELTA_CHECKPOINT_WALK_H_
#define FINEDELTA_CHECKPOINT_WALK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "finedelta/progress.h"
#include "finedelta/result.h"

namespace finedelta {

enum class EntryKind : uint8_t { kShard, kSideFile, kEmptyDirectory };

struct Entry {
  std::string path;    // relative, '/' between parts; for a single file, its name
  std::string source;  // where the bytes are: an absolute path with symbolic links resolved
  EntryKind kind = EntryKind::kSideFile;
  bool executable = false;  // the owner's bit; never for an empty directory
  uint64_t size = 0;        // bytes; 0 for an empty directory
};

struct WalkOptions {
  std::string storage;  // real path of the folder in which symbolic links may end
  bool all = false;     // keep .git/ and .cache/huggingface/ at the top
  // Leave out what is no regular file and no sound link, unless it has a shard's name.
  bool lenient = false;
  NoteCallback note;  // may be empty; told of each folder that is left out
};

// Every file and empty directory below `top` (a real path), sorted bytewise by path. Files named
// *.safetensors are taken for shards; nothing is opened. A folder that holds nothing but a folder
// left out is not reported as empty.
//
// Errors: kDamaged for a link that is not to a regular file in `storage`, a device, a socket, a
// FIFO, unless `lenient`; kFailure for a directory that can't be read. Each names the path and what
// to do.
Result<std::vector<Entry>> walk_directory(const std::string& top, const WalkOptions& options);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_WALK_H_
