#include "finedelta/inspect.h"

#include "archive/archive.h"
#include "base/error.h"
#include "engine/summary.h"
#include "finedelta/options.h"

namespace finedelta {

Result<ArchiveSummary> inspect(const std::string& archive) {
  FINEDELTA_ASSIGN(const archive::Archive opened, archive::Archive::open(archive, kDefaultMemory));
  return summarize(opened);
}

bool is_archive(const std::string& path) {
  const auto file = InputFile::open(path);
  return file && archive::looks_like_archive(*file);
}

}  // namespace finedelta
