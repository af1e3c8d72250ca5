// The SHA-256 of every file of a fine-tune, computed beside the coding.
#ifndef FINEDELTA_ENGINE_FILE_HASHES_H_
#define FINEDELTA_ENGINE_FILE_HASHES_H_

#include <thread>
#include <vector>

#include "base/hash.h"
#include "checkpoint/checkpoint.h"
#include "finedelta/result.h"

namespace finedelta {

// Reads the files in order on a thread of its own. SHA-256 can't be split over threads, so this one
// bounds how fast pack can be; it runs whatever the number of workers.
class FileHashes {
 public:
  // Starts. `checkpoint` and `cancel` (may be null) must outlive this. The destructor stops the
  // thread if it still runs.
  FileHashes(const Checkpoint& checkpoint, const Cancellation* cancel);

  // Waits, and gives one hash for each entry (zeros for empty directories). Call it once.
  Result<std::vector<Sha256>> finish();

 private:
  Status hash_all(const std::stop_token& stop);
  Result<Sha256> hash(const Entry& entry, const std::stop_token& stop) const;

  const Checkpoint& checkpoint_;
  const Cancellation* cancel_;
  std::vector<Sha256> hashes_;
  Status status_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_FILE_HASHES_H_
