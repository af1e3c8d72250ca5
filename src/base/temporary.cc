#include "base/temporary.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"

namespace finedelta {

namespace {

constexpr std::string_view kMark = ".finedelta-";
constexpr size_t kDigits = 8;
constexpr std::string_view kEnding = ".tmp";

// A name is lost to another run only when that run finds it in the moment before it is locked.
constexpr int kMostAttempts = 100;

// What the names of all temporaries of a target begin with.
std::string temporary_prefix(const OutputTarget& target) {
  const long limit = fpathconf(target.parent.get(), _PC_NAME_MAX);
  const size_t longest = limit > 0 ? static_cast<size_t>(limit) : NAME_MAX;
  const size_t added = 1 + kMark.size() + kDigits + kEnding.size();
  size_t kept = std::min(target.name.size(), longest > added ? longest - added : 0);
  // Some file systems take only whole UTF-8 characters.
  while (kept < target.name.size() && kept > 0 && (target.name[kept] & 0xc0) == 0x80) --kept;
  return "." + target.name.substr(0, kept) + std::string(kMark);
}

bool is_temporary_name(std::string_view name, std::string_view prefix) {
  if (name.size() != prefix.size() + kDigits + kEnding.size()) return false;
  return name.starts_with(prefix) && name.ends_with(kEnding) &&
         name.substr(prefix.size(), kDigits).find_first_not_of("0123456789abcdef") ==
             std::string_view::npos;
}

// Whether `name` still leads to the open file: another run may have removed or renamed it.
bool leads_to(int parent, const std::string& name, int descriptor) {
  struct stat named{};
  struct stat held{};
  return fstatat(parent, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstat(descriptor, &held) == 0 && named.st_dev == held.st_dev &&
         named.st_ino == held.st_ino;
}

std::vector<std::string> leftover_names(const OutputTarget& target) {
  std::vector<std::string> names;
  const int listed = openat(target.parent.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const directory = listed < 0 ? nullptr : fdopendir(listed);
  if (!directory) {
    if (listed >= 0) close(listed);
    return names;
  }
  const std::string prefix = temporary_prefix(target);
  while (const dirent* const entry = readdir(directory)) {
    if (is_temporary_name(entry->d_name, prefix)) names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

// Opened as our own temporaries are; anything but a file or directory is not one of them.
Descriptor open_leftover(int parent, const std::string& name) {
  struct stat info{};
  if (fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  if (S_ISDIR(info.st_mode)) {
    return Descriptor(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | kFlags));
  }
  if (S_ISREG(info.st_mode)) return Descriptor(openat(parent, name.c_str(), O_RDWR | kFlags));
  return {};
}

void remove_leftovers(const OutputTarget& target) {
  const int parent = target.parent.get();
  for (const std::string& name : leftover_names(target)) {
    const Descriptor held = open_leftover(parent, name);
    if (held.valid() && flock(held.get(), LOCK_EX | LOCK_NB) == 0 &&
        leads_to(parent, name, held.get())) {
      remove_tree(target.directory + "/" + name);
    }
  }
}

Result<std::string> random_digits() {
  uint32_t value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value) {
    return fail_errno(errno, "read random bytes for", "a temporary name");
  }
  return fmt::format("{:08x}", value);
}

// An invalid descriptor with errno set on failure.
Descriptor create_and_open(int parent, const std::string& name, OutputKind kind) {
  if (kind == OutputKind::kFile) {
    return Descriptor(
        openat(parent, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  }
  if (mkdirat(parent, name.c_str(), 0777) != 0) return {};
  return Descriptor(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

bool try_lock(int descriptor) {
  return flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

bool remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return !error;
}

Temporary::Temporary(OutputTarget target, std::string name, Descriptor held)
    : target_(std::move(target)),
      name_(std::move(name)),
      path_(target_.directory + "/" + name_),
      held_(std::move(held)) {}

Temporary::~Temporary() {
  if (!renamed_) remove_tree(path_);
}

Result<std::unique_ptr<Temporary>> Temporary::create(OutputTarget target, OutputKind kind) {
  remove_leftovers(target);
  const std::string prefix = temporary_prefix(target);
  const int parent = target.parent.get();
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    FINEDELTA_ASSIGN(const std::string digits, random_digits());
    std::string name = prefix + digits + std::string(kEnding);
    Descriptor held = create_and_open(parent, name, kind);
    if (held.valid()) {
      // Between its creation and the lock, another run may take it for a left-over.
      if (!try_lock(held.get()) || !leads_to(parent, name, held.get())) continue;
      return std::unique_ptr<Temporary>(
          new Temporary(std::move(target), std::move(name), std::move(held)));
    }
    if (errno != EEXIST && errno != ENOENT) {
      return fail_unreachable(errno, "write to", target.directory);
    }
  }
  return fail(ErrorCode::kFailure, "cannot create a temporary file beside {}", quote(target.shown));
}

}  // namespace finedelta
