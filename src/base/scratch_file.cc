#include "base/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace finedelta {

namespace {

// Some file systems (NFS among them) have no files without names: there it has one for a moment.
Descriptor open_named(const std::string& directory) {
  std::string path = directory + "/.finedelta-XXXXXX";
  Descriptor file(mkostemp(path.data(), O_CLOEXEC));
  if (file.valid()) unlink(path.c_str());
  return file;
}

}  // namespace

Result<std::unique_ptr<ScratchFile>> ScratchFile::create(const std::string& directory) {
  Descriptor file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) file = open_named(directory);
  if (!file.valid()) return fail_errno(errno, "write into", directory);
  return std::unique_ptr<ScratchFile>(
      new ScratchFile(OutputFile(directory + "/(a file without a name)", std::move(file))));
}

Result<uint64_t> ScratchFile::append(std::initializer_list<Bytes> parts) {
  uint64_t size = 0;
  for (const Bytes part : parts) size += part.size();
  const uint64_t offset = end_.fetch_add(size);
  uint64_t place = offset;
  for (const Bytes part : parts) {
    FINEDELTA_CHECK(file_.write(place, part));
    place += part.size();
  }
  return offset;
}

Status ScratchFile::read(uint64_t offset, MutableBytes to) const {
  return read_fully(file_.descriptor(), file_.path(), offset, to);
}

}  // namespace finedelta
