// Turning a base that is in memory into its fine-tune, in place.
#ifndef FINEDELTA_APPLY_H_
#define FINEDELTA_APPLY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// A tensor of the base in memory: contiguous, little-endian, at any alignment.
struct TensorInMemory {
  std::string name;
  std::string dtype;  // as in a safetensors header
  std::vector<uint64_t> shape;
  std::span<std::byte> data;
};

enum class ApplyCheck : uint8_t {
  kFull,  // every byte, before anything is changed and when all is
  // What changes, before and after, where the archive says it apart (chunks of coder sparse, which
  // pack writes at levels 1 and 2); what it says otherwise, as kFull before, and nothing of what
  // stays as it is.
  kTouched,
};

struct ApplyOptions : ReadOptions {
  ApplyCheck check = ApplyCheck::kFull;
};

struct ApplyReport {
  uint64_t tensors = 0;          // of the archive
  uint64_t changed_tensors = 0;  // that were not as they had to be
  uint64_t bytes = 0;            // of all tensors
  uint64_t bytes_read = 0;       // of tensors in memory, in both passes
  bool lossy = false;            // as of UnpackReport
};

// Makes of `tensors`, which are those of the archive's base, those of its fine-tune. All or
// nothing: a first pass decodes and checks everything. Chunks of coder sparse are changed in it,
// and what was there is kept to be put back: 4 bytes and their own size for each element that
// changes. The others are decoded again in a second pass, which needs no file for that: the archive
// is kept in memory meanwhile.
//
// The tensors must be those of the archive, by name, dtype and shape, neither more nor fewer, and
// each stored against the one of its name: kUsage where not, where two overlap, and where the
// archive needs several bases. kWrongBase where one is not the base's, kDamaged for the archive,
// kFailure (I/O, too little memory), kCancelled in the first pass only. After any of these the
// tensors are as they were. Nobody else may use them meanwhile; kFailure says so where the second
// pass does not find what the first one left.
// Several calls may run at once.
Result<ApplyReport> apply(const std::string& archive, std::span<const TensorInMemory> tensors,
                          const ApplyOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_APPLY_H_
