// Hashes of whole files.
#ifndef FINEDELTA_BASE_FILE_HASH_H_
#define FINEDELTA_BASE_FILE_HASH_H_

#include <functional>

#include "base/file.h"
#include "base/hash.h"
#include "finedelta/progress.h"

namespace finedelta {

// Reads a file from start to end in pieces of at most 1 MiB. Stops at the first error of `visit`,
// and with kCancelled when `cancel` (may be null) says so.
Status for_each_piece(const InputFile& file, const Cancellation* cancel,
                      const std::function<Status(uint64_t offset, Bytes)>& visit);

Result<Hash128> hash_file(const InputFile& file, const Cancellation* cancel = nullptr);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_FILE_HASH_H_
