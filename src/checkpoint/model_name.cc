#include "checkpoint/model_name.h"

#include <algorithm>

namespace finedelta {

namespace {

constexpr std::string_view kFolderPrefix = "models--";
constexpr std::string_view kFolderSeparator = "--";
constexpr size_t kLongestPart = 96;  // the Hub's own limit
constexpr size_t kLongestRevision = 255;

bool may_end_a_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool may_be_in_a_name(char c) { return may_end_a_name(c) || c == '.' || c == '-'; }

bool is_part(std::string_view part) {
  return !part.empty() && part.size() <= kLongestPart && may_end_a_name(part.front()) &&
         may_end_a_name(part.back()) && std::ranges::all_of(part, may_be_in_a_name) &&
         !part.contains("..") && !part.contains(kFolderSeparator);
}

}  // namespace

bool is_model_name(std::string_view name) {
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos) return is_part(name);
  return is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
}

bool is_commit_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         std::ranges::all_of(name, may_be_in_a_name);
}

bool is_revision(std::string_view revision) {
  if (revision.size() > kLongestRevision) return false;
  while (true) {
    const size_t slash = revision.find('/');
    if (!is_commit_name(revision.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    revision.remove_prefix(slash + 1);
  }
}

std::string folder_of_model(std::string_view name) {
  std::string folder(kFolderPrefix);
  const size_t slash = name.find('/');
  folder += name.substr(0, slash);
  if (slash != std::string_view::npos) folder.append(kFolderSeparator).append(name, slash + 1);
  return folder;
}

std::optional<std::string> model_of_folder(std::string_view folder) {
  if (!folder.starts_with(kFolderPrefix)) return std::nullopt;
  folder.remove_prefix(kFolderPrefix.size());
  const size_t separator = folder.find(kFolderSeparator);
  std::string name(folder.substr(0, separator));
  if (separator != std::string_view::npos) {
    name.append("/").append(folder, separator + kFolderSeparator.size());
  }
  if (!is_model_name(name)) return std::nullopt;
  return name;
}

}  // namespace finedelta
