// Getting a fine-tune back, byte for byte; and checking that one would.
#ifndef FINEDELTA_UNPACK_H_
#define FINEDELTA_UNPACK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct UnpackOptions : ReadOptions {
  bool weights_only = false;  // the shards alone, no side files
  bool sha256 = false;        // check the SHA-256 of every file too (XXH3 is always checked)
  bool force = false;         // replace an existing output
};

struct UnpackReport {
  uint64_t files = 0;
  uint64_t bytes = 0;  // of those files
  bool sha256_checked = false;
  bool lossy = false;  // what came out is not what was packed: finedelta/inspect.h has the errors
  std::vector<std::string> bases;  // where the bases were found
};

// Rebuilds the fine-tune in `archive` at `output`: a directory, or a file where a single file was
// packed. `bases` in any order; a base left out is looked for in the local Hugging Face cache by
// the identity that the archive records. Nothing appears at `output` before every byte is checked
// and on disk.
// Errors: kWrongBase (a base tensor or file is missing or differs: named), kDamaged (the archive),
// kUsage (`output` exists, or lies inside an input), kFailure, kNoSpace, kCancelled.
// Several calls may run at once.
Result<UnpackReport> unpack(const std::vector<std::string>& bases, const std::string& archive,
                            const std::string& output, const UnpackOptions& options = {});

struct VerifyReport {
  uint64_t archive_bytes = 0;
  uint64_t chunks = 0;             // whose stored bytes were checked
  bool lossy = false;              // as of UnpackReport
  bool rebuilt = false;            // every file was rebuilt and its hashes compared
  uint64_t files = 0;              // rebuilt
  uint64_t bytes = 0;              // of those files
  std::vector<std::string> bases;  // where the bases were found
};

// Without bases: checks that every byte of the archive is as it was written. With bases (or for an
// archive that needs none): rebuilds every file in memory, piece by piece, and checks XXH3 and
// SHA-256 of the result, of a progressive archive also those of its first layer; writes nothing.
// Errors as for `unpack`.
Result<VerifyReport> verify(const std::string& archive, const std::vector<std::string>& bases = {},
                            const Options& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_UNPACK_H_
