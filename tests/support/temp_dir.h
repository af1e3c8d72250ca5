// A directory for one test.
#ifndef FINEDELTA_TESTS_SUPPORT_TEMP_DIR_H_
#define FINEDELTA_TESTS_SUPPORT_TEMP_DIR_H_

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace finedelta {

// Made when constructed, removed with all that is in it when destroyed. Each function takes a path
// relative to it, makes the folders on the way, and throws where the file system refuses.
class TempDir {
 public:
  TempDir() {
    std::string pattern =
        std::filesystem::canonical(std::filesystem::temp_directory_path()) / "finedelta_XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // Absolute and free of symbolic links, as the library's messages have it.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view relative) const {
    return path_ + "/" + std::string(relative);
  }

  // Writes a file and returns its absolute path.
  std::string write(std::string_view relative, std::string_view content) const {
    const std::string file = parent_made(relative);
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + file);
    return file;
  }

  // The content of a file; empty where there is none.
  [[nodiscard]] std::string read(std::string_view relative) const {
    std::ifstream file(path(relative), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // What is in the directory itself, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  std::string make_directory(std::string_view relative) const {
    std::filesystem::create_directories(path(relative));
    return path(relative);
  }

  // A symbolic link at `relative` that says `target`, as it is.
  std::string link(std::string_view relative, std::string_view target) const {
    const std::string link_path = parent_made(relative);
    std::filesystem::create_symlink(target, link_path);
    return link_path;
  }

 private:
  [[nodiscard]] std::string parent_made(std::string_view relative) const {
    const std::filesystem::path file = path(relative);
    std::filesystem::create_directories(file.parent_path());
    return file;
  }

  std::string path_;
};

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_TEMP_DIR_H_
