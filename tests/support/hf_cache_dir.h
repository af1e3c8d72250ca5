// A Hugging Face cache for tests.
#ifndef FINEDELTA_TESTS_SUPPORT_HF_CACHE_DIR_H_
#define FINEDELTA_TESTS_SUPPORT_HF_CACHE_DIR_H_

#include <algorithm>
#include <string>
#include <string_view>

#include "support/scoped_env.h"
#include "support/temp_dir.h"

namespace finedelta {

// An empty cache that $HF_HUB_CACHE names while the object lives. Not for threads.
class HfCacheDir {
 public:
  [[nodiscard]] const TempDir& dir() const { return dir_; }

  // .../models--ORG--NAME for "org/name", relative to `dir`.
  static std::string folder(std::string_view model) {
    std::string name(model);
    if (const size_t slash = name.find('/'); slash != std::string::npos) {
      name.replace(slash, 1, "--", 2);
    }
    return std::string("models--").append(name);
  }

  static std::string snapshot(std::string_view model, std::string_view commit) {
    return folder(model).append("/snapshots/").append(commit);
  }

  // Adds a file as a download would: a blob named after the path, and a relative link to it.
  void add(std::string_view model, std::string_view commit, std::string_view path,
           std::string_view content) const {
    std::string blob(path);
    std::ranges::replace(blob, '/', '_');
    dir_.write(folder(model).append("/blobs/").append(blob), content);
    std::string up = "../../blobs/";
    for (auto depth = std::ranges::count(path, '/'); depth > 0; --depth) up.insert(0, "../", 3);
    dir_.link(snapshot(model, commit).append("/").append(path), up.append(blob));
  }

  void add_ref(std::string_view model, std::string_view ref, std::string_view commit) const {
    dir_.write(folder(model).append("/refs/").append(ref), commit);
  }

 private:
  TempDir dir_;
  ScopedEnv variable_{"HF_HUB_CACHE", dir_.path().c_str()};
};

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_HF_CACHE_DIR_H_
