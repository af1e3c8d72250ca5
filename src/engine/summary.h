// An index in words.
#ifndef FINEDELTA_ENGINE_SUMMARY_H_
#define FINEDELTA_ENGINE_SUMMARY_H_

#include "archive/archive.h"
#include "finedelta/inspect.h"

namespace finedelta {

[[nodiscard]] ArchiveSummary summarize(const archive::Archive& archive);

// The tensors alone, in order of the archive.
[[nodiscard]] std::vector<TensorSummary> summarize_tensors(const archive::Index& index);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_SUMMARY_H_
