// Reads the tensors of two models once, chunk by chunk in parallel, and says how they differ.
#ifndef FINEDELTA_DIFF_COMPARE_TENSORS_H_
#define FINEDELTA_DIFF_COMPARE_TENSORS_H_

#include <vector>

#include "diff/tensor_pairs.h"
#include "diff/tensor_tally.h"
#include "engine/resources.h"

namespace finedelta {

// What all tensors of floats are together.
struct FloatTotals {
  NormSums sums;
  NonFinite base;
  NonFinite fine_tune;
};

// Completes the pairs, but for ranks. Takes 2 MiB for each worker at the most.
Result<FloatTotals> compare_tensors(DiffPairs& pairs, const Options& options,
                                    ProgressMeter& progress);

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_COMPARE_TENSORS_H_
