// The tensors of a base and of its fine-tune, side by side.
#ifndef FINEDELTA_DIFF_TENSOR_PAIRS_H_
#define FINEDELTA_DIFF_TENSOR_PAIRS_H_

#include <cstdint>
#include <vector>

#include "engine/pack_plan.h"
#include "finedelta/diff.h"
#include "match/by_name.h"

namespace finedelta {

// One of the two may not be there.
struct DiffPair {
  StoredTensor base;
  StoredTensor fine;
  bool compared = false;
  uint64_t elements = 0;  // that are compared: the first ones of both
  uint64_t bytes = 0;     // of those

  [[nodiscard]] DType dtype() const { return fine.tensor->dtype; }  // of both, where compared
};

// In order of the fine-tune's shards and tensors, then those that only the base has.
struct DiffPairs {
  std::vector<DiffPair> pairs;
  // One for each. Complete but for what comparing tells; the status of tensors that are compared is
  // "equal", or "resized".
  std::vector<TensorDiff> diffs;
};

// `inputs` has one base and must stay.
[[nodiscard]] DiffPairs pair_for_diff(const Inputs& inputs);

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_TENSOR_PAIRS_H_
