// Whether it looks as if an adapter of low rank had been merged, from a glance at a few rows.
#ifndef FINEDELTA_PREDICT_LOW_RANK_DETECT_H_
#define FINEDELTA_PREDICT_LOW_RANK_DETECT_H_

#include "finedelta/result.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// Looks at the spectrum of up to 64 rows and 1024 columns of (fine-tune - base): an adapter leaves
// few directions and then a step down to the noise of rounding. Adapters of rank over 32, and such
// as hardly stand out of that noise, are not noticed. An error is one of the reads'.
Result<bool> looks_merged(const MatrixPair& pair);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_DETECT_H_
