// What the lossy tensors take at a distortion, measured on some of their pieces.
#ifndef FINEDELTA_ENGINE_LOSSY_TRIAL_H_
#define FINEDELTA_ENGINE_LOSSY_TRIAL_H_

#include <cstdint>

#include "engine/lossy_fits.h"
#include "engine/pack_plan.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"

namespace finedelta {

// How many bytes more the lossy tensors may be expected to take than LossyFits says: below zero
// where it is too many. Reads and codes one of eight pieces. For the least change of behaviour.
Result<int64_t> try_lossy(const Inputs& inputs, const PackPlan& plan, const LossyFits& fits,
                          double distortion, const PackOptions& options);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_TRIAL_H_
