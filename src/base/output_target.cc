#include "base/output_target.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace finedelta {

namespace {

std::string_view without_trailing_slashes(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// The directory part of a path that does not end in a slash.
std::string parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::unexpected<Error> fail_missing(std::string_view directory) {
  return fail(ErrorCode::kUsage, "the directory {} does not exist; create it first",
              quote(directory));
}

Result<std::string> canonical(const std::string& path) {
  std::error_code error;
  std::string resolved = std::filesystem::canonical(path, error).string();
  if (error == std::errc::no_such_file_or_directory) return fail_missing(path);
  if (error) return fail_unreachable(error.value(), "open", path);
  return resolved;
}

// A target ending in "." or ".." is a directory that exists: under its own name it has a parent.
Result<std::string> with_proper_name(std::string_view path) {
  std::string proper(path);
  const std::string_view last = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (last == "." || last == "..") {
    FINEDELTA_ASSIGN(proper, canonical(proper));
  }
  return std::string(without_trailing_slashes(proper));
}

Result<Descriptor> open_parent(const std::string& parent) {
  Descriptor directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid()) return directory;
  if (errno == ENOENT) return fail_missing(parent);
  return fail_unreachable(errno, "open", parent);
}

bool is_special(const struct stat& info) {
  return !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode);
}

Status check_replaced_file(const OutputTarget& target, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) {
    return fail(ErrorCode::kUsage, "{} is a directory; name a file", quote(target.shown));
  }
  // A link such as /dev/stdout stands for what it leads to: replacing it would break the system.
  struct stat followed = info;
  if (S_ISLNK(info.st_mode)) (void)fstatat(target.parent.get(), target.name.c_str(), &followed, 0);
  if (is_special(followed)) {
    return fail(ErrorCode::kUsage, "{} is not a regular file and is never replaced",
                quote(target.shown));
  }
  return {};
}

bool is_mount_point(const OutputTarget& target) {
  struct statx info{};
  return statx(target.parent.get(), target.name.c_str(), AT_SYMLINK_NOFOLLOW, 0, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Status check_replaced_directory(const OutputTarget& target, const struct stat& info) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::kUsage, "{} {}", quote(target.shown), why);
  };
  if (S_ISLNK(info.st_mode)) {
    return refuse("is a symbolic link; remove it, or name the directory that it leads to");
  }
  if (!S_ISDIR(info.st_mode)) return refuse("is not a directory; name a directory");
  const std::string path = target.directory + "/" + target.name;
  FINEDELTA_ASSIGN(const bool is_current, contains(path, "."));
  if (is_current) {
    return refuse("holds the current directory and is never replaced; name a new directory");
  }
  const char* const home = std::getenv("HOME");
  // A home that is not there can't be replaced.
  const bool is_home = home && *home && contains(path, home).value_or(false);
  if (is_home) {
    return refuse("holds the home directory and is never replaced; name a new directory");
  }
  if (is_mount_point(target)) {
    return refuse("is a mount point, which can't be replaced; name a new directory in it");
  }
  return {};
}

// What stays the same under all names of a file.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};

Identity identity_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

Result<bool> is_at_or_above(const Identity& wanted, const std::string& directory) {
  Descriptor at(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Identity below;
  while (at.valid()) {
    struct stat info{};
    if (fstat(at.get(), &info) != 0) break;
    const Identity here = identity_of(info);
    if (here == wanted) return true;
    if (here == below) return false;  // only the root is its own parent
    below = here;
    at = Descriptor(openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (errno == ENOENT) return fail_missing(directory);
  return fail_unreachable(errno, "examine", directory);
}

}  // namespace

std::unexpected<Error> fail_unreachable(int error_number, std::string_view action,
                                        std::string_view path) {
  auto failure = fail_errno(error_number, action, path);
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
      failure.error().code = ErrorCode::kUsage;
      break;
    default:
      break;
  }
  return failure;
}

std::unexpected<Error> fail_exists(const OutputTarget& target) {
  return fail(ErrorCode::kUsage, "{} exists already; use --force to replace it",
              quote(target.shown));
}

Result<OutputTarget> resolve_target(const std::string& target) {
  if (target.empty()) return fail(ErrorCode::kUsage, "the output has an empty name");
  if (target.contains('\0')) {
    return fail(ErrorCode::kUsage, "{} has a NUL byte in it", quote(target));
  }
  FINEDELTA_ASSIGN(const std::string path, with_proper_name(without_trailing_slashes(target)));
  if (path.empty()) {
    return fail(ErrorCode::kUsage, "{} is the root directory and is never replaced", quote(target));
  }
  const std::string parent = parent_of(path);
  OutputTarget found{.shown = target, .directory = {}, .name = {}, .parent = {}};
  found.name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  FINEDELTA_ASSIGN(found.parent, open_parent(parent));
  FINEDELTA_ASSIGN(found.directory, canonical(parent));
  return found;
}

Result<bool> check_target(const OutputTarget& target, OutputKind kind, bool replace) {
  const bool is_file = kind == OutputKind::kFile;
  struct stat info{};
  if (fstatat(target.parent.get(), target.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return fail_unreachable(errno, "examine", target.shown);
    if (is_file && target.shown.ends_with('/')) {
      return fail(ErrorCode::kUsage, "{} names a directory; name a file", quote(target.shown));
    }
    return false;
  }
  FINEDELTA_CHECK(is_file ? check_replaced_file(target, info)
                          : check_replaced_directory(target, info));
  if (!replace) return fail_exists(target);
  return true;
}

Result<bool> contains(const std::string& outer, const std::string& inner) {
  struct stat info{};
  if (stat(outer.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_unreachable(errno, "examine", outer);
  }
  const Identity wanted = identity_of(info);
  if (stat(inner.c_str(), &info) != 0) {
    if (errno != ENOENT) return fail_unreachable(errno, "examine", inner);
    return is_at_or_above(wanted, parent_of(without_trailing_slashes(inner)));
  }
  if (identity_of(info) == wanted) return true;
  if (S_ISDIR(info.st_mode)) return is_at_or_above(wanted, inner);
  // What a link such as /dev/stdout leads to may have no name: a pipe lies in no directory.
  if (!S_ISREG(info.st_mode)) return false;
  // A link counts where it stands too: in a cached model every file is a link to a blob elsewhere.
  FINEDELTA_ASSIGN(const bool named_there,
                   is_at_or_above(wanted, parent_of(without_trailing_slashes(inner))));
  if (named_there) return true;
  FINEDELTA_ASSIGN(const std::string resolved, canonical(inner));
  return is_at_or_above(wanted, parent_of(resolved));
}

}  // namespace finedelta
