// Storing a fine-tune as what it adds to its bases.
#ifndef FINEDELTA_PACK_H_
#define FINEDELTA_PACK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// What a lossy archive may take, or may differ. Sizes are of the whole archive, and are met from
// below within 1 %.
struct LossyTarget {
  enum class Kind : uint8_t {
    kBits,   // average bits for each element of the fine-tune's tensors
    kBytes,  // bytes
    kRatio,  // how many times smaller than the fine-tune's files
    // Not a size: the largest relative error of each matrix (finedelta/inspect.h). Matrices that
    // can't be stored so in less than they take exactly are exact.
    kMaxError,
  };
  Kind kind = Kind::kBits;
  double value = 0;  // above 0
};

struct PackOptions : Options {
  bool all = false;    // keep .git/ and .cache/huggingface/ too
  bool force = false;  // replace an existing archive
  // How much time to take for a smaller archive: 1 (the fastest) to 9 (the smallest).
  int level = kDefaultLevel;
  // Where set, matrices are stored inexactly: what comes out is not the fine-tune. Side files,
  // tensors of one dimension, without a base, equal to the base's, or with a NaN or an infinity
  // stay exact. kUsage, with the smallest or largest that can be had, where the target can't be
  // met.
  std::optional<LossyTarget> lossy;
  // With `lossy`: the archive holds a second layer too, which makes it exact. The target is that of
  // the first one. kUsage where more than 90 % of what could be lossy is as in the base.
  bool progressive = false;
};

struct PackReport {
  uint64_t files = 0;         // of the fine-tune, empty directories left out
  uint64_t input_bytes = 0;   // of those files
  uint64_t weight_bytes = 0;  // of the tensors among them
  uint64_t archive_bytes = 0;
  uint64_t tensors = 0;
  uint64_t matched_tensors = 0;  // coded against a base
  uint64_t bases = 0;            // bases that the archive needs
  bool lossy = false;            // whether anything is inexact
  uint64_t lossy_tensors = 0;    // of a progressive archive: in its first layer
  bool progressive = false;
  uint64_t second_layer_bytes = 0;  // stored bytes of it
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
