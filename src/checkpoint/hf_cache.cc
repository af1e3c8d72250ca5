#include "checkpoint/hf_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/directory.h"

namespace finedelta {

namespace {

constexpr std::string_view kSnapshots = "/snapshots/";
constexpr std::string_view kDefaultRevision = "main";
constexpr size_t kShortestPrefix = 7;  // digits of a commit, as git abbreviates it
constexpr uint64_t kLongestRef = 256;  // bytes of the file: a commit has 40 digits
constexpr size_t kMostRevisionsNamed = 8;

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_directory_itself(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return {};
  const char* home = std::getenv("HOME");
  const std::string_view text = value;
  if (text.starts_with("~/") && home != nullptr) return join_path(home, text.substr(2));
  return value;
}

// The commits whose snapshot folders really lie in `storage`, sorted.
Result<std::vector<std::string>> snapshot_commits(const std::string& storage) {
  const std::string folder = join_path(storage, "snapshots");
  if (!is_directory_itself(folder)) return std::vector<std::string>{};
  FINEDELTA_ASSIGN(std::vector<std::string> commits, list_directory(folder));
  std::erase_if(commits, [&](const std::string& commit) {
    return !is_directory_itself(join_path(folder, commit));
  });
  return commits;
}

// The commit that the ref `revision` stands for; nothing where there is no such ref.
Result<std::optional<std::string>> read_ref(const std::string& storage, std::string_view revision) {
  const std::string refs = join_path(storage, "refs");
  const std::string path = join_path(refs, revision);
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == EACCES) return fail_errno(errno, "open", path);
    return std::nullopt;
  }
  if (S_ISDIR(info.st_mode)) return std::nullopt;
  FINEDELTA_ASSIGN(const std::string target, real_path(path));
  if (!lies_in(target, refs)) {
    return fail(ErrorCode::kDamaged, "{} is a symbolic link out of its folder; remove it",
                quote(path));
  }
  FINEDELTA_ASSIGN(std::string commit, read_small_file(target, kLongestRef));
  if (commit.ends_with('\n')) commit.pop_back();
  if (!is_commit_name(commit)) {
    return fail(ErrorCode::kDamaged,
                "{} should hold a commit, but holds {}; remove it and download the model again",
                quote(path), quote(commit));
  }
  return commit;
}

std::string name_some(const std::vector<std::string>& commits) {
  const size_t named = std::min(commits.size(), kMostRevisionsNamed);
  std::string text;
  for (size_t i = 0; i < named; ++i) {
    if (i > 0) text += ", ";
    text += quote(commits[i]);
  }
  if (commits.size() > named) text += fmt::format(" and {} more", commits.size() - named);
  return text;
}

struct Request {
  std::string_view name;
  std::string_view revision;
  bool revision_given = false;

  [[nodiscard]] std::string advice() const {
    const std::string option =
        revision_given ? fmt::format(" --revision {}", revision) : std::string();
    return fmt::format(
        "finedelta never downloads: do it first, for example with `hf download {}{}`", name,
        option);
  }
};

std::optional<Request> parse_request(std::string_view argument) {
  Request request{.name = argument, .revision = kDefaultRevision};
  if (const size_t at = argument.find('@'); at != std::string_view::npos) {
    request = {argument.substr(0, at), argument.substr(at + 1), true};
  }
  if (!is_model_name(request.name) || !is_revision(request.revision)) return std::nullopt;
  return request;
}

Result<std::string> find_commit(const std::string& storage, const Request& request) {
  FINEDELTA_ASSIGN(const std::vector<std::string> commits, snapshot_commits(storage));
  const auto is_there = [&](std::string_view commit) {
    return std::ranges::binary_search(commits, commit);
  };
  if (is_there(request.revision)) return std::string(request.revision);
  FINEDELTA_ASSIGN(const std::optional<std::string> ref, read_ref(storage, request.revision));
  if (ref && is_there(*ref)) return *ref;

  std::vector<std::string> matches;
  if (!ref && request.revision.size() >= kShortestPrefix &&
      std::ranges::all_of(request.revision, is_hex_digit)) {
    std::ranges::copy_if(commits, std::back_inserter(matches), [&](const std::string& commit) {
      return commit.starts_with(request.revision);
    });
  }
  if (matches.size() == 1) return matches[0];
  if (matches.size() > 1) {
    return fail(ErrorCode::kFailure,
                "several revisions of {} in the Hugging Face cache begin with {}: {}; give more "
                "digits",
                quote(request.name), quote(request.revision), name_some(matches));
  }
  return fail(ErrorCode::kFailure,
              "the Hugging Face cache holds no revision {} of {} (it holds {}); {}",
              quote(request.revision), quote(request.name),
              commits.empty() ? "none" : name_some(commits), request.advice());
}

}  // namespace

std::string hf_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string folder = environment(name); !folder.empty()) return folder;
  }
  if (const std::string home = environment("HF_HOME"); !home.empty()) return join_path(home, "hub");
  if (const std::string caches = environment("XDG_CACHE_HOME"); !caches.empty()) {
    return join_path(caches, "huggingface/hub");
  }
  const std::string home = environment("HOME");
  return home.empty() ? home : join_path(home, ".cache/huggingface/hub");
}

Result<Snapshot> find_snapshot(std::string_view argument) {
  const std::optional<Request> request = parse_request(argument);
  if (!request) {
    return fail(ErrorCode::kFailure,
                "there is no file or directory {}, and that is not the name of a model "
                "(org/name[@revision]) either",
                quote(argument));
  }
  const std::string cache = hf_cache_folder();
  if (cache.empty()) {
    return fail(ErrorCode::kFailure,
                "there is no file or directory {}, and no Hugging Face cache to look in: set "
                "HF_HOME",
                quote(argument));
  }
  const std::string folder = join_path(cache, folder_of_model(request->name));
  if (!is_directory(folder)) {
    return fail(ErrorCode::kFailure,
                "there is no file or directory {}, and no model of that name in the Hugging Face "
                "cache {}; {}",
                quote(argument), quote(cache), request->advice());
  }
  FINEDELTA_ASSIGN(const std::string storage, real_path(folder));
  FINEDELTA_ASSIGN(const std::string commit, find_commit(storage, *request));
  return Snapshot{.model = {std::string(request->name), commit},
                  .path = storage + std::string(kSnapshots) + commit,
                  .storage = storage};
}

std::optional<Snapshot> snapshot_around(std::string_view path) {
  size_t end = path.size();
  while (true) {
    const size_t at = path.substr(0, end).rfind(kSnapshots);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view storage = path.substr(0, at);
    const size_t begin = at + kSnapshots.size();
    const std::string_view revision = path.substr(begin, path.find('/', begin) - begin);
    const std::optional<std::string> name = model_of_folder(last_part(storage));
    if (name && !revision.empty()) {
      return Snapshot{.model = {*name, std::string(revision)},
                      .path = std::string(path.substr(0, begin + revision.size())),
                      .storage = std::string(storage)};
    }
    end = begin - 1;  // an earlier one may begin with the '/' before this one's
  }
}

std::vector<std::string> cached_snapshots(const ModelName& model) {
  const std::string cache = hf_cache_folder();
  std::vector<std::string> folders;
  if (is_model_name(model.name)) {
    folders.push_back(folder_of_model(model.name));
  } else if (model.name.empty() && !cache.empty()) {
    folders = list_directory(cache).value_or(folders);
    std::erase_if(folders, [](const std::string& folder) { return !model_of_folder(folder); });
  }
  std::vector<std::string> found;
  for (const std::string& folder : folders) {
    const Result<std::string> storage = real_path(join_path(cache, folder));
    if (!storage) continue;
    for (const std::string& commit :
         snapshot_commits(*storage).value_or(std::vector<std::string>{})) {
      found.push_back(*storage + std::string(kSnapshots) + commit);
    }
  }
  const auto recorded = std::ranges::find_if(found, [&](const std::string& path) {
    return !model.name.empty() && last_part(path) == model.revision;
  });
  if (recorded != found.end()) std::rotate(found.begin(), recorded, recorded + 1);
  return found;
}

}  // namespace finedelta
