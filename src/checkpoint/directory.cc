#include "checkpoint/directory.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/error.h"

namespace finedelta {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

struct FreeMemory {
  void operator()(char* memory) const { std::free(memory); }
};

}  // namespace

std::string join_path(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (!out.empty() && out.back() != '/') out += '/';
  return out += name;
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool lies_in(std::string_view path, std::string_view directory) {
  return path.starts_with(join_path(directory, ""));
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (!directory) return fail_errno(errno, "open the directory", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail_errno(errno, "read the directory", path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, FreeMemory> resolved(realpath(path.c_str(), nullptr));
  if (!resolved) return fail_errno(errno, "find", path);
  return std::string(resolved.get());
}

}  // namespace finedelta
