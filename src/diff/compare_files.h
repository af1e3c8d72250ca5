// Which files other than shards differ.
#ifndef FINEDELTA_DIFF_COMPARE_FILES_H_
#define FINEDELTA_DIFF_COMPARE_FILES_H_

#include <cstdint>
#include <vector>

#include "engine/pack_plan.h"
#include "finedelta/diff.h"

namespace finedelta {

struct FileDiffs {
  uint64_t equal = 0;
  std::vector<FileDiff> differing;  // by path
};

// Byte by byte where sizes are equal. Nothing where a model is a single file. A shard of one model
// that is none in the other differs.
Result<FileDiffs> compare_files(const Inputs& inputs, const Cancellation* cancel);

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_COMPARE_FILES_H_
