#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace finedelta {

namespace {

// Linux moves at most 0x7ffff000 bytes in one call.
constexpr size_t kLargestTransfer = size_t{1} << 30;

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

Result<FileStamp> stamp_of(int fd, const std::string& path) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return fail_errno(errno, "examine", path);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kDamaged, "{} is not a regular file", quote(path));
  }
  return FileStamp{.device = info.st_dev,
                   .inode = info.st_ino,
                   .size = static_cast<uint64_t>(info.st_size),
                   .modified_ns = nanoseconds(info.st_mtim),
                   .changed_ns = nanoseconds(info.st_ctim)};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (valid()) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (valid()) close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

std::unexpected<Error> fail_changed(std::string_view path) {
  return fail(ErrorCode::kFailure, "{} was changed while it was being read; try again",
              quote(path));
}

Status read_fully(int descriptor, std::string_view path, uint64_t offset, MutableBytes to) {
  while (!to.empty()) {
    const ssize_t got = pread(descriptor, to.data(), std::min(to.size(), kLargestTransfer),
                              static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read", path);
    if (got == 0) {
      return fail(ErrorCode::kDamaged, "{} ends at byte {}, before the data that it should hold",
                  quote(path), offset);
    }
    to = to.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

Result<InputFile> InputFile::open(const std::string& path) {
  InputFile file;
  file.path_ = path;
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hang before it is refused.
  file.descriptor_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.descriptor_.valid()) return fail_errno(errno, "open", path);
  FINEDELTA_ASSIGN(file.opened_, stamp_of(file.descriptor_.get(), path));
  return file;
}

Status InputFile::read(uint64_t offset, MutableBytes to) const {
  return read_fully(descriptor_.get(), path_, offset, to);
}

Result<InputFile> InputFile::copy_in_memory() const {
  Descriptor descriptor(memfd_create("finedelta", MFD_CLOEXEC));
  if (!descriptor.valid()) return fail_errno(errno, "keep in memory", path_);
  OutputFile out(path_, std::move(descriptor));
  std::vector<std::byte> piece(std::min<uint64_t>(size(), uint64_t{1} << 20));
  for (uint64_t offset = 0; offset < size(); offset += piece.size()) {
    piece.resize(std::min<uint64_t>(piece.size(), size() - offset));
    FINEDELTA_CHECK(read(offset, piece));
    FINEDELTA_CHECK(out.write(offset, piece));
  }
  InputFile copy;
  copy.path_ = path_;
  copy.descriptor_ = std::move(out).take_descriptor();
  FINEDELTA_ASSIGN(copy.opened_, stamp_of(copy.descriptor_.get(), path_));
  return copy;
}

Status InputFile::check_unchanged() const {
  FINEDELTA_ASSIGN(const FileStamp now, stamp_of(descriptor_.get(), path_));
  if (now != opened_) return fail_changed(path_);
  return {};
}

Status OutputFile::write(uint64_t offset, Bytes from) const {
  while (!from.empty()) {
    const ssize_t put = pwrite(descriptor_.get(), from.data(),
                               std::min(from.size(), kLargestTransfer), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write", path_);
    from = from.subspan(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return {};
}

Status OutputFile::allocate(uint64_t size) const {
  int reserved = 0;
  do {
    reserved = size > 0 ? fallocate(descriptor_.get(), 0, 0, static_cast<off_t>(size)) : 0;
  } while (reserved != 0 && errno == EINTR);
  // Some file systems can't reserve space; there, a full disk shows later, at a write.
  if (reserved != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
    return fail_errno(errno, "reserve space for", path_);
  }
  if (ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) {
    return fail_errno(errno, "resize", path_);
  }
  return {};
}

void OutputFile::start_sync(uint64_t offset, uint64_t size) const {
  // Only a hint: the fsync in `sync` reports whatever goes wrong.
  (void)sync_file_range(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                        SYNC_FILE_RANGE_WRITE);
}

Status OutputFile::sync() const {
  if (fsync(descriptor_.get()) != 0) return fail_errno(errno, "write to disk", path_);
  return {};
}

Status OutputFile::make_executable() const {
  struct stat info{};
  if (fstat(descriptor_.get(), &info) != 0) return fail_errno(errno, "examine", path_);
  const mode_t readers = info.st_mode & (S_IRUSR | S_IRGRP | S_IROTH);
  if (fchmod(descriptor_.get(), (info.st_mode & 07777) | readers >> 2) != 0) {
    return fail_errno(errno, "make executable", path_);
  }
  return {};
}

Result<std::string> read_small_file(const std::string& path, uint64_t limit) {
  FINEDELTA_ASSIGN(const InputFile file, InputFile::open(path));
  if (file.size() > limit) {
    return fail(ErrorCode::kDamaged, "{} has {} bytes, more than the {} that it may have",
                quote(path), file.size(), limit);
  }
  std::string text(file.size(), '\0');
  FINEDELTA_CHECK(file.read(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}

}  // namespace finedelta
