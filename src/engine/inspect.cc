#include "finedelta/inspect.h"

#include "archive/archive.h"
#include "base/error.h"
#include "base/guard.h"
#include "engine/resources.h"
#include "engine/summary.h"

namespace finedelta {

namespace {

Status read_ranks(const archive::Archive& archive, ArchiveSummary& summary) {
  auto described = summary.tensors.begin();
  for (const archive::File& file : archive.index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      if (tensor.factors.size > 0) {
        FINEDELTA_ASSIGN(described->rank, archive.read_rank(tensor.factors));
      }
      ++described;
    }
  }
  return {};
}

}  // namespace

Result<ArchiveSummary> inspect(const std::string& archive, const Options& options) {
  return guarded([&]() -> Result<ArchiveSummary> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const archive::Archive opened,
                     archive::Archive::open(archive, options.memory));
    ArchiveSummary summary = summarize(opened);
    FINEDELTA_CHECK(read_ranks(opened, summary));
    return summary;
  });
}

bool is_archive(const std::string& path) {
  const auto file = InputFile::open(path);
  return file && archive::looks_like_archive(*file);
}

}  // namespace finedelta
