#include "checkpoint/walk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "checkpoint/directory.h"

namespace finedelta {

namespace {

// Kept by tools beside a model: histories and download records, no part of it.
bool is_left_out(std::string_view path) { return path == ".git" || path == ".cache/huggingface"; }

std::string_view special_file_type(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "neither a file nor a directory";
}

// What a symbolic link says, for messages; empty where it can't be read any more.
std::string link_text(const std::string& path) {
  std::array<char, 4096> text{};  // PATH_MAX: the longest that Linux keeps
  const ssize_t size = readlink(path.c_str(), text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : std::string();
}

bool is_shard_name(std::string_view path) { return path.ends_with(".safetensors"); }

class Walk {
 public:
  Walk(const std::string& top, const WalkOptions& options) : top_(top), options_(options) {}

  Result<std::vector<Entry>> run() {
    // A list of our own in place of recursion: the depth of the tree is not ours to choose.
    directories_.emplace_back();
    while (!directories_.empty()) {
      const std::string directory = std::move(directories_.back());
      directories_.pop_back();
      FINEDELTA_CHECK(visit_directory(directory));
    }
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return std::move(entries_);
  }

 private:
  [[nodiscard]] std::string absolute(const std::string& path) const {
    return path.empty() ? top_ : join_path(top_, path);
  }

  Status visit_directory(const std::string& directory) {
    FINEDELTA_ASSIGN(const std::vector<std::string> names, list_directory(absolute(directory)));
    for (const std::string& name : names) {
      const std::string path = join_path(directory, name);
      Status visited = visit(path);
      const bool left_out = !visited && visited.error().code == ErrorCode::kDamaged &&
                            options_.lenient && !is_shard_name(path);
      if (!visited && !left_out) return visited;
    }
    if (names.empty() && !directory.empty()) {
      entries_.push_back(
          {.path = directory, .source = absolute(directory), .kind = EntryKind::kEmptyDirectory});
    }
    return {};
  }

  Status visit(const std::string& path) {
    const std::string source = absolute(path);
    struct stat info{};
    if (lstat(source.c_str(), &info) != 0) return fail_errno(errno, "examine", source);
    if (S_ISLNK(info.st_mode)) return visit_link(path);
    if (S_ISDIR(info.st_mode)) {
      visit_subdirectory(path);
      return {};
    }
    if (!S_ISREG(info.st_mode)) {
      return fail(ErrorCode::kDamaged, "{} is {}, which a model can't contain; remove it",
                  quote(source), special_file_type(info.st_mode));
    }
    add_file(path, source, info);
    return {};
  }

  void visit_subdirectory(const std::string& path) {
    if (options_.all || !is_left_out(path)) {
      directories_.push_back(path);
    } else if (options_.note) {
      options_.note(fmt::format("{} is skipped; --all keeps it", quote(path)));
    }
  }

  Status visit_link(const std::string& path) {
    const std::string link = absolute(path);
    struct stat info{};
    if (stat(link.c_str(), &info) != 0) return fail_link(link, errno);
    if (S_ISDIR(info.st_mode)) {
      return fail(ErrorCode::kDamaged,
                  "{} is a symbolic link to the directory {}; copy the directory in its place",
                  quote(link), quote(link_text(link)));
    }
    if (!S_ISREG(info.st_mode)) {
      return fail(ErrorCode::kDamaged, "{} is a symbolic link to {}, which is {}; remove the link",
                  quote(link), quote(link_text(link)), special_file_type(info.st_mode));
    }
    FINEDELTA_ASSIGN(const std::string target, real_path(link));
    if (!lies_in(target, options_.storage)) {
      return fail(ErrorCode::kDamaged,
                  "{} is a symbolic link to {}, outside the model's own folder; copy the file in "
                  "its place",
                  quote(link), quote(target));
    }
    add_file(path, target, info);
    return {};
  }

  static std::unexpected<Error> fail_link(const std::string& link, int error_number) {
    if (error_number == ENOENT || error_number == ENOTDIR) {
      return fail(ErrorCode::kDamaged,
                  "{} is a symbolic link to {}, which does not exist; restore the file or remove "
                  "the link",
                  quote(link), quote(link_text(link)));
    }
    if (error_number == ELOOP) {
      return fail(ErrorCode::kDamaged,
                  "{} is a symbolic link to {}, which leads round in a circle; remove the link",
                  quote(link), quote(link_text(link)));
    }
    return fail_errno(error_number, "follow the symbolic link", link);
  }

  void add_file(const std::string& path, const std::string& source, const struct stat& info) {
    entries_.push_back({.path = path,
                        .source = source,
                        .kind = is_shard_name(path) ? EntryKind::kShard : EntryKind::kSideFile,
                        .executable = (info.st_mode & S_IXUSR) != 0,
                        .size = static_cast<uint64_t>(info.st_size)});
  }

  const std::string& top_;
  const WalkOptions& options_;
  std::vector<std::string> directories_;  // relative paths still to be read; the top is ""
  std::vector<Entry> entries_;
};

}  // namespace

Result<std::vector<Entry>> walk_directory(const std::string& top, const WalkOptions& options) {
  return Walk(top, options).run();
}

}  // namespace finedelta
