// What every operation takes besides its inputs.
#ifndef FINEDELTA_OPTIONS_H_
#define FINEDELTA_OPTIONS_H_

#include <cstdint>

#include "finedelta/progress.h"

namespace finedelta {

inline constexpr uint64_t kDefaultMemory = uint64_t{512} << 20;
inline constexpr uint64_t kLeastMemory = uint64_t{64} << 20;

// Of pack and plan: how much time to take for a smaller archive.
inline constexpr int kFastestLevel = 1;
inline constexpr int kDefaultLevel = 3;
inline constexpr int kSmallestLevel = 9;

// What `threads` 0 stands for: the CPUs in the affinity mask, but no more than the CPU quotas of
// the control groups that the process is in allow at once (a quota of 1.5 CPUs counts as 2). At
// least 1.
[[nodiscard]] unsigned default_threads();

// Shared by all operations. Callbacks and the cancellation must outlive the call, or
// the ArchiveReader that was opened with them.
struct Options {
  // Worker threads; 0 means `default_threads`.
  unsigned threads = 0;
  // Upper bound in bytes for the resident memory of the process, at least kLeastMemory. It wins
  // over `threads`: where both can't be had, fewer threads run.
  uint64_t memory = kDefaultMemory;
  ProgressCallback progress;             // may be empty
  NoteCallback note;                     // may be empty
  const Cancellation* cancel = nullptr;  // may be null
};

// Of unpack, extract and ArchiveReader.
struct ReadOptions : Options {
  // How many layers to read of a progressive archive: 1 gives its lossy first layer, 2 or 0 (all
  // there are) what was packed. kUsage where the archive does not have so many.
  unsigned layers = 0;
};

}  // namespace finedelta

#endif  // FINEDELTA_OPTIONS_H_
