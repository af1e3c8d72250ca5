// Encoding the side files of a fine-tune.
#ifndef FINEDELTA_ENGINE_PACK_SIDE_FILES_H_
#define FINEDELTA_ENGINE_PACK_SIDE_FILES_H_

#include "archive/writer.h"
#include "engine/pack_plan.h"
#include "engine/resources.h"
#include "finedelta/result.h"

namespace finedelta {

// Appends the chunks of the bundle and of the stored and patch files to `writer` and to
// plan.index.chunks. The bytes written do not depend on the number of threads.
Status pack_side_files(const Inputs& inputs, PackPlan& plan, archive::Writer& writer,
                       const Options& options, ProgressMeter& progress);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_PACK_SIDE_FILES_H_
