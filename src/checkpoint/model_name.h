// What models, their revisions and their folders in the Hugging Face cache may be called.
#ifndef FINEDELTA_CHECKPOINT_MODEL_NAME_H_
#define FINEDELTA_CHECKPOINT_MODEL_NAME_H_

#include <optional>
#include <string>
#include <string_view>

namespace finedelta {

// The name under which a model is known in the Hugging Face cache; both empty for other paths.
struct ModelName {
  std::string name;      // "org/name"
  std::string revision;  // the commit, as the cache's snapshot folder is called
  bool operator==(const ModelName&) const = default;
};

// Whether `name` may be the name of a model on the Hub: NAME or ORG/NAME, each 1 to 96 characters
// of [A-Za-z0-9._-] that begin and end with a letter, a digit or '_', without ".." and "--".
[[nodiscard]] bool is_model_name(std::string_view name);

// A commit or whatever stands for one: [A-Za-z0-9._-]+ but not "." and "..", one part of a path.
[[nodiscard]] bool is_commit_name(std::string_view name);

// A ref, commit or part of one: at most 255 characters, commit names with '/' between them.
[[nodiscard]] bool is_revision(std::string_view revision);

// "org/name" <-> "models--org--name". Nothing for a folder of any other name.
[[nodiscard]] std::string folder_of_model(std::string_view name);
[[nodiscard]] std::optional<std::string> model_of_folder(std::string_view folder);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_MODEL_NAME_H_
