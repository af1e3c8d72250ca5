#include "base/atomic_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "base/output_target.h"
#include "base/output_tree.h"
#include "base/temporary.h"

namespace finedelta {

namespace {

constexpr uint64_t kSyncStep = uint64_t{64} << 20;

// The file system does not know this way of renaming. EXDEV: overlay file systems exchange only
// directories of their upper layer.
bool is_unsupported(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == EXDEV;
}

std::unexpected<Error> fail_exchange(const OutputTarget& target) {
  return fail(ErrorCode::kUsage,
              "{} can't be replaced in one step on this file system; remove it or choose another "
              "name",
              quote(target.shown));
}

// Tries the exchange on two empty directories inside the temporary one.
Status check_exchange(const Temporary& temporary) {
  const int inside = temporary.descriptor();
  for (const char* const name : {"a", "b"}) {
    if (mkdirat(inside, name, 0777) != 0) {
      return fail_unreachable(errno, "write to", temporary.path());
    }
  }
  const int error_number = renameat2(inside, "a", inside, "b", RENAME_EXCHANGE) == 0 ? 0 : errno;
  for (const char* const name : {"a", "b"}) (void)unlinkat(inside, name, AT_REMOVEDIR);
  if (error_number == 0) return {};
  if (is_unsupported(error_number)) return fail_exchange(temporary.target());
  return fail_unreachable(error_number, "replace", temporary.target().shown);
}

// For file systems that can't rename without replacing. A hard link never replaces anything; where
// there are none either, and for directories, a target that appears between the check and the
// rename is lost if it is a file or an empty directory.
Status rename_after_check(const Temporary& temporary, OutputKind kind) {
  const OutputTarget& target = temporary.target();
  const int parent = target.parent.get();
  const char* const from = temporary.name().c_str();
  if (kind == OutputKind::kFile && linkat(parent, from, parent, target.name.c_str(), 0) == 0) {
    (void)unlinkat(parent, from, 0);  // if that fails, the next run removes it
    return {};
  }
  FINEDELTA_CHECK(check_target(target, kind, false));
  if (renameat(parent, from, parent, target.name.c_str()) == 0) return {};
  return fail_unreachable(errno, "create", target.shown);
}

Status rename_to_new(const Temporary& temporary, OutputKind kind) {
  const OutputTarget& target = temporary.target();
  const int parent = target.parent.get();
  if (renameat2(parent, temporary.name().c_str(), parent, target.name.c_str(), RENAME_NOREPLACE) ==
      0) {
    return {};
  }
  if (errno == EEXIST) return fail_exists(target);
  if (is_unsupported(errno)) return rename_after_check(temporary, kind);
  return fail_unreachable(errno, "create", target.shown);
}

Status rename_over_file(const Temporary& temporary) {
  const OutputTarget& target = temporary.target();
  const int parent = target.parent.get();
  FINEDELTA_CHECK(check_target(target, OutputKind::kFile, true));
  if (renameat(parent, temporary.name().c_str(), parent, target.name.c_str()) == 0) return {};
  return fail_unreachable(errno, "replace", target.shown);
}

// Afterwards, the old tree has the temporary's name.
Status exchange_directories(const Temporary& temporary) {
  const OutputTarget& target = temporary.target();
  const int parent = target.parent.get();
  if (renameat2(parent, temporary.name().c_str(), parent, target.name.c_str(), RENAME_EXCHANGE) ==
      0) {
    return {};
  }
  if (is_unsupported(errno)) return fail_exchange(target);
  return fail_unreachable(errno, "replace", target.shown);
}

// The last step of publishing: the target has its name already.
Status sync_parent(const OutputTarget& target) {
  const Status synced = sync_directory(target.parent.get(), target.directory);
  if (synced) return {};
  return fail(synced.error().code, "{} is complete, but it may not survive a crash: {}",
              quote(target.shown), synced.error().message);
}

Status replace_directory(Temporary& temporary) {
  const OutputTarget& target = temporary.target();
  // Locked, so that no other run takes the old tree for a left-over while it is being removed.
  const Descriptor old(openat(target.parent.get(), target.name.c_str(),
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (old.valid()) (void)try_lock(old.get());
  FINEDELTA_CHECK(exchange_directories(temporary));
  temporary.set_renamed();
  FINEDELTA_CHECK(sync_parent(target));
  if (!remove_tree(temporary.path())) {
    return fail(ErrorCode::kFailure,
                "{} is complete, but what it replaced could not be removed; what is left is {}",
                quote(target.shown), quote(temporary.path()));
  }
  return {};
}

Result<std::unique_ptr<Temporary>> create_temporary(const std::string& path, OutputKind kind,
                                                    bool replace) {
  FINEDELTA_ASSIGN(OutputTarget target, resolve_target(path));
  FINEDELTA_ASSIGN(const bool replaces, check_target(target, kind, replace));
  FINEDELTA_ASSIGN(std::unique_ptr<Temporary> temporary,
                   Temporary::create(std::move(target), kind));
  if (replaces && kind == OutputKind::kDirectory) FINEDELTA_CHECK(check_exchange(*temporary));
  return temporary;
}

OutputRoot root_of(const Temporary& temporary) {
  return {.descriptor = temporary.descriptor(), .shown = temporary.target().shown};
}

}  // namespace

AtomicFile::AtomicFile(AtomicFile&&) noexcept = default;
AtomicFile& AtomicFile::operator=(AtomicFile&&) noexcept = default;
AtomicFile::~AtomicFile() = default;
AtomicFile::AtomicFile(std::unique_ptr<Temporary> temporary, OutputFile file, bool replace)
    : temporary_(std::move(temporary)), file_(std::move(file)), replace_(replace) {}

Result<AtomicFile> AtomicFile::create(const std::string& target, bool replace) {
  FINEDELTA_ASSIGN(std::unique_ptr<Temporary> temporary,
                   create_temporary(target, OutputKind::kFile, replace));
  Descriptor descriptor(fcntl(temporary->descriptor(), F_DUPFD_CLOEXEC, 0));
  if (!descriptor.valid()) return fail_errno(errno, "open", target);
  return AtomicFile(std::move(temporary), OutputFile(target, std::move(descriptor)), replace);
}

const std::string& AtomicFile::directory() const { return temporary_->target().directory; }

const std::string& AtomicFile::path() const { return temporary_->path(); }

Status AtomicFile::publish() {
  FINEDELTA_CHECK(file_.sync());
  const OutputTarget& target = temporary_->target();
  FINEDELTA_CHECK(replace_ ? rename_over_file(*temporary_)
                           : rename_to_new(*temporary_, OutputKind::kFile));
  temporary_->set_renamed();
  return sync_parent(target);
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&&) noexcept = default;
AtomicDirectory& AtomicDirectory::operator=(AtomicDirectory&&) noexcept = default;
AtomicDirectory::~AtomicDirectory() = default;
AtomicDirectory::AtomicDirectory(std::unique_ptr<Temporary> temporary, bool replace)
    : temporary_(std::move(temporary)), replace_(replace) {}

Result<AtomicDirectory> AtomicDirectory::create(const std::string& target, bool replace) {
  FINEDELTA_ASSIGN(std::unique_ptr<Temporary> temporary,
                   create_temporary(target, OutputKind::kDirectory, replace));
  return AtomicDirectory(std::move(temporary), replace);
}

const std::string& AtomicDirectory::path() const { return temporary_->path(); }

Status AtomicDirectory::make_directories(std::string_view relative) const {
  FINEDELTA_CHECK(make_directories_below(root_of(*temporary_), relative));
  return {};
}

Result<OutputFile> AtomicDirectory::create_file(std::string_view relative, bool executable) const {
  return create_file_below(root_of(*temporary_), relative, executable);
}

Status AtomicDirectory::publish() {
  FINEDELTA_CHECK(sync_directories(temporary_->path()));
  const OutputTarget& target = temporary_->target();
  if (replace_) {
    FINEDELTA_ASSIGN(const bool exists, check_target(target, OutputKind::kDirectory, true));
    if (exists) return replace_directory(*temporary_);
  }
  FINEDELTA_CHECK(rename_to_new(*temporary_, OutputKind::kDirectory));
  temporary_->set_renamed();
  return sync_parent(target);
}

void SteadySync::written_up_to(const OutputFile& file, uint64_t end) {
  if (end < started_ + kSyncStep) return;
  file.start_sync(started_, end - started_);
  started_ = end;
}

}  // namespace finedelta
