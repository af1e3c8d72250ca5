// Outputs that appear whole or not at all: written beside their target, under another name, and
// renamed when they are complete and on disk. A process killed at any moment leaves what was there
// before or the complete output; what it had written under the temporary name (see temporary.h) is
// removed by the next run with the same target.
//
// `create` refuses (kUsage) a target that exists unless `replace` is true, a parent that does not
// exist or can't be written to, and what must never be replaced (see check_target). `publish` may
// be called once; a target that appeared since is refused as by `create`. When it fails, the
// target is as it was unless the message says otherwise. Objects that were not published remove
// what was written. Not for use by several threads at once.
#ifndef FINEDELTA_BASE_ATOMIC_OUTPUT_H_
#define FINEDELTA_BASE_ATOMIC_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta {

class Temporary;

class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& target, bool replace);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();

  // Its path() is the target, for messages.
  [[nodiscard]] const OutputFile& file() const { return file_; }

  // That of the target.
  [[nodiscard]] const std::string& directory() const;

  // Absolute; where the file is until it is published.
  [[nodiscard]] const std::string& path() const;

  // Waits for the file to be on disk, then gives it its name.
  Status publish();

 private:
  AtomicFile(std::unique_ptr<Temporary> temporary, OutputFile file, bool replace);

  std::unique_ptr<Temporary> temporary_;
  OutputFile file_;
  bool replace_;
};

class AtomicDirectory {
 public:
  // Replacing needs a file system that can exchange two directories in one step (kUsage if not).
  static Result<AtomicDirectory> create(const std::string& target, bool replace);
  AtomicDirectory(AtomicDirectory&&) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&&) noexcept;
  ~AtomicDirectory();

  // Absolute; where the tree is until it is published.
  [[nodiscard]] const std::string& path() const;

  // Below the directory; `relative` is checked (see relative_path.h), links are not followed.
  // kDamaged when the path is refused or its name is taken. Directories that a file lies in are
  // made with it. The path() of the file is where it will be once published, for messages. May be
  // called from several threads at once.
  [[nodiscard]] Status make_directories(std::string_view relative) const;
  [[nodiscard]] Result<OutputFile> create_file(std::string_view relative, bool executable) const;

  // The caller has synced the files; this writes the directories to disk and gives the tree its
  // name. A directory that it replaces is removed afterwards.
  Status publish();

 private:
  AtomicDirectory(std::unique_ptr<Temporary> temporary, bool replace);

  std::unique_ptr<Temporary> temporary_;
  bool replace_;
};

// Has a file written from front to back go to disk in steps as it grows, so that the sync at its
// end does not wait for all of it.
class SteadySync {
 public:
  // All bytes of `file` before `end` are written.
  void written_up_to(const OutputFile& file, uint64_t end);

 private:
  uint64_t started_ = 0;
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_ATOMIC_OUTPUT_H_
