// Storing a fine-tune as what it adds to its bases.
#ifndef FINEDELTA_PACK_H_
#define FINEDELTA_PACK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct PackOptions : Options {
  bool all = false;    // keep .git/ and .cache/huggingface/ too
  bool force = false;  // replace an existing archive
  // How much time to take for a smaller archive: 1 (the fastest) to 9 (the smallest).
  int level = kDefaultLevel;
};

struct PackReport {
  uint64_t files = 0;         // of the fine-tune, empty directories left out
  uint64_t input_bytes = 0;   // of those files
  uint64_t weight_bytes = 0;  // of the tensors among them
  uint64_t archive_bytes = 0;
  uint64_t tensors = 0;
  uint64_t matched_tensors = 0;  // coded against a base
  uint64_t bases = 0;            // bases that the archive needs
};

// Writes the archive `archive` of `fine_tune` against `bases` (none: the fine-tune alone). Each
// input is a model directory, a .safetensors file or `org/name[@revision]` in the local Hugging
// Face cache. Nothing appears at `archive` before it is complete and on disk.
// Errors: kFailure (I/O, model not found), kUsage (`archive` exists, or lies inside an input),
// kDamaged (an input is damaged or unsafe), kNoSpace, kCancelled.
// Several calls may run at once.
Result<PackReport> pack(const std::vector<std::string>& bases, const std::string& fine_tune,
                        const std::string& archive, const PackOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_PACK_H_
