// The second layer of a progressive archive: what makes the first one exact.
#ifndef FINEDELTA_ENGINE_PACK_REST_H_
#define FINEDELTA_ENGINE_PACK_REST_H_

#include "archive/writer.h"
#include "engine/base_set.h"
#include "engine/pack_plan.h"
#include "engine/resources.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"

namespace finedelta {

// Appends the second layer's chunks to the payload of `writer` and to plan.index.rest. `first` is
// the archive as it was written, of one layer, with all base tensors in `bases`: what is coded is
// coded against what comes out of it. The bytes written do not depend on the number of threads.
Status pack_rest(const archive::Archive& first, const BaseSet& bases, const Inputs& inputs,
                 PackPlan& plan, archive::Writer& writer, const PackOptions& options,
                 ProgressMeter& progress);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_PACK_REST_H_
