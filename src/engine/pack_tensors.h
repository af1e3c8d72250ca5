// Encoding all tensors of a fine-tune, and fingerprinting the base tensors they are coded against.
#ifndef FINEDELTA_ENGINE_PACK_TENSORS_H_
#define FINEDELTA_ENGINE_PACK_TENSORS_H_

#include "archive/writer.h"
#include "engine/lossy_fits.h"
#include "engine/pack_plan.h"
#include "engine/resources.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"

namespace finedelta {

// What a lossy archive keeps of its lossy tensors.
struct LossyChoice {
  const LossyFits& fits;
  const std::vector<Match>& matches;  // of the same tensors
  double distortion = 0;              // lossy/lossy_factors.h
  std::optional<double> error;  // in place of it: the largest relative error of a tensor's delta
};

// Appends the chunks of all tensors to `writer` and to plan.index.chunks, and fills in
// fingerprints, samples and identities of the bases. The bytes written do not depend on the number
// of threads. With `lossy`, tensors become inexact: their errors are
// filled in, and the SHA-256 of the shards that come out.
Status pack_tensors(const Inputs& inputs, PackPlan& plan, archive::Writer& writer,
                    const PackOptions& options, ProgressMeter& progress,
                    const LossyChoice* lossy = nullptr);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_PACK_TENSORS_H_
