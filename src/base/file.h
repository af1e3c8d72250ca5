// Files by position: pread and pwrite, no mapping (a mapped file that someone truncates kills the
// process, and its pages count as memory in use).
#ifndef FINEDELTA_BASE_FILE_H_
#define FINEDELTA_BASE_FILE_H_

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "finedelta/result.h"

namespace finedelta {

// An owned file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  int release();

 private:
  int fd_ = -1;
};

// What tells whether a file is still the one that was read: not its bytes, but cheap to compare.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t modified_ns = 0;  // the content; may be set back
  int64_t changed_ns = 0;   // the content or anything else about the file; may not
  bool operator==(const FileStamp&) const = default;
};

// kFailure: `path` is not what it was.
std::unexpected<Error> fail_changed(std::string_view path);

// Fills `to` from `offset` of an open file; one that ends earlier is kDamaged. `path` is for
// messages.
Status read_fully(int descriptor, std::string_view path, uint64_t offset, MutableBytes to);

// A regular file open for reading. Const members may be called from several threads at once.
class InputFile {
 public:
  // Refuses everything that is not a regular file (kDamaged); kFailure when it can't be opened.
  static Result<InputFile> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] uint64_t size() const { return opened_.size; }  // when it was opened
  [[nodiscard]] const FileStamp& stamp() const { return opened_; }

  // Fills `to` from `offset`; a file that ends earlier is kDamaged.
  Status read(uint64_t offset, MutableBytes to) const;

  // Its bytes as they are now, in a file of the same name that is in memory alone. kFailure.
  [[nodiscard]] Result<InputFile> copy_in_memory() const;

  // kFailure when size, time or identity are no longer those it was opened with.
  Status check_unchanged() const;

 private:
  std::string path_;
  Descriptor descriptor_;
  FileStamp opened_;
};

// A file open for writing; it does not name, rename or remove itself (see atomic_output.h).
// `write` may be called from several threads at once for ranges that do not overlap.
class OutputFile {
 public:
  OutputFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  [[nodiscard]] Descriptor take_descriptor() && { return std::move(descriptor_); }

  Status write(uint64_t offset, Bytes from) const;
  // Reserves disk space for `size` bytes where the file system can, and sets the size.
  Status allocate(uint64_t size) const;
  // Starts writing the range to disk without waiting, so that `sync` at the end has little left.
  void start_sync(uint64_t offset, uint64_t size) const;
  Status sync() const;
  // Lets everyone execute it who may read it.
  Status make_executable() const;

 private:
  std::string path_;
  Descriptor descriptor_;
};

// The whole of a small file, as bytes. A file over `limit` bytes is kDamaged.
Result<std::string> read_small_file(const std::string& path, uint64_t limit);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_FILE_H_
