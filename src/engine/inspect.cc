#include "finedelta/inspect.h"

#include "archive/archive.h"
#include "base/error.h"
#include "base/guard.h"
#include "engine/resources.h"
#include "engine/summary.h"

namespace finedelta {

Result<ArchiveSummary> inspect(const std::string& archive, const Options& options) {
  return guarded([&]() -> Result<ArchiveSummary> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const archive::Archive opened,
                     archive::Archive::open(archive, options.memory));
    return summarize(opened);
  });
}

bool is_archive(const std::string& path) {
  const auto file = InputFile::open(path);
  return file && archive::looks_like_archive(*file);
}

}  // namespace finedelta
