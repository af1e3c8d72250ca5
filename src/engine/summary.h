// An archive's index in words.
#ifndef FINEDELTA_ENGINE_SUMMARY_H_
#define FINEDELTA_ENGINE_SUMMARY_H_

#include "archive/archive.h"
#include "finedelta/inspect.h"

namespace finedelta {

// All but the ranks, which are in the payload.
[[nodiscard]] ArchiveSummary summarize(const archive::Archive& archive);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_SUMMARY_H_
