// Writing an archive: chunks stream out first, index and header follow.
#ifndef FINEDELTA_ARCHIVE_WRITER_H_
#define FINEDELTA_ARCHIVE_WRITER_H_

#include <string>

#include "archive/format.h"
#include "archive/layout.h"
#include "base/atomic_output.h"
#include "finedelta/result.h"

namespace finedelta::archive {

// Not thread-safe. An archive that is not finished leaves nothing behind.
class Writer {
 public:
  // kUsage when `path` exists and `replace` is not set.
  static Result<Writer> create(const std::string& path, bool replace);

  // Appends the stored bytes of the next chunk, to the payload or, after `end_payload`, to the side
  // files. Chunks come in the order of Index::chunks.
  Status append(Bytes stored);
  void end_payload() { layout_.payload_size = next_ - kHeaderSlot; }

  // Where the archive is written until it is published; once it is finished it can be opened there.
  [[nodiscard]] const std::string& path() const { return file_.path(); }

  // Where the archive will appear.
  [[nodiscard]] const std::string& directory() const { return file_.directory(); }

  // Forgets all that was written.
  Status restart();
  // Forgets all that was written behind the payload, which can be appended to again.
  Status reopen_payload();

  // Writes index and header, and returns the archive's size. The index is read back before:
  // kFailure when a reader with this `memory` could not.
  Result<uint64_t> finish(const Index& index, uint64_t memory);
  // Syncs, and makes the finished archive appear at its path.
  Status publish() { return file_.publish(); }

 private:
  explicit Writer(AtomicFile file) : file_(std::move(file)) {}

  AtomicFile file_;
  Layout layout_;
  uint64_t next_ = kHeaderSlot;
  SteadySync sync_;
};

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_WRITER_H_
