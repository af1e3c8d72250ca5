#include "base/output_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/relative_path.h"

namespace finedelta {

namespace {

std::string shown_path(const OutputRoot& root, std::string_view relative) {
  return fmt::format("{}{}{}", root.shown, root.shown.ends_with('/') ? "" : "/", relative);
}

Descriptor open_directory(int parent, const std::string& name) {
  return Descriptor(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Result<Descriptor> make_directory(int parent, const std::string& name, const std::string& shown) {
  if (mkdirat(parent, name.c_str(), 0777) != 0 && errno != EEXIST) {
    return fail_errno(errno, "create the directory", shown);
  }
  Descriptor directory = open_directory(parent, name);
  if (directory.valid()) return directory;
  if (errno == ENOTDIR || errno == ELOOP) {
    return fail(ErrorCode::kDamaged, "{} is to be a directory, but a file has that name",
                quote(shown));
  }
  return fail_errno(errno, "open", shown);
}

}  // namespace

Result<Descriptor> make_directories_below(const OutputRoot& root, std::string_view relative) {
  FINEDELTA_CHECK(check_relative_path(relative));
  Descriptor at;
  for (size_t begin = 0; begin <= relative.size();) {
    const size_t end = std::min(relative.find('/', begin), relative.size());
    const std::string part(relative.substr(begin, end - begin));
    FINEDELTA_ASSIGN(at, make_directory(at.valid() ? at.get() : root.descriptor, part,
                                        shown_path(root, relative.substr(0, end))));
    begin = end + 1;
  }
  return at;
}

Result<OutputFile> create_file_below(const OutputRoot& root, std::string_view relative,
                                     bool executable) {
  FINEDELTA_CHECK(check_relative_path(relative));
  Descriptor parent;
  const size_t slash = relative.rfind('/');
  if (slash != std::string_view::npos) {
    FINEDELTA_ASSIGN(parent, make_directories_below(root, relative.substr(0, slash)));
  }
  const std::string name(relative.substr(slash + 1));  // npos + 1 is 0
  std::string shown = shown_path(root, relative);
  Descriptor file(openat(parent.valid() ? parent.get() : root.descriptor, name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         executable ? 0777 : 0666));
  if (file.valid()) return OutputFile(std::move(shown), std::move(file));
  if (errno == EEXIST) {
    return fail(ErrorCode::kDamaged, "{} is to be written, but that name is already taken",
                quote(shown));
  }
  return fail_errno(errno, "create", shown);
}

Status sync_directory(int descriptor, std::string_view shown) {
  // EINVAL and EOPNOTSUPP: this file system has no such thing for directories.
  if (fsync(descriptor) != 0 && errno != EINVAL && errno != EOPNOTSUPP) {
    return fail_errno(errno, "write to disk", shown);
  }
  return {};
}

Status sync_directories(const std::string& path) {
  const auto sync_one = [](const std::string& directory) -> Status {
    const Descriptor opened = open_directory(AT_FDCWD, directory);
    if (!opened.valid()) return fail_errno(errno, "open", directory);
    return sync_directory(opened.get(), directory);
  };
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::end(entry); entry.increment(error)) {
    if (entry->symlink_status(error).type() != std::filesystem::file_type::directory) continue;
    FINEDELTA_CHECK(sync_one(entry->path().string()));
  }
  if (error) return fail_errno(error.value(), "list", path);
  return sync_one(path);
}

}  // namespace finedelta
