// Directories and real paths. Names are bytes: nothing here assumes UTF-8.
#ifndef FINEDELTA_CHECKPOINT_DIRECTORY_H_
#define FINEDELTA_CHECKPOINT_DIRECTORY_H_

#include <string>
#include <string_view>
#include <vector>

#include "finedelta/result.h"

namespace finedelta {

// `name` below `directory`; an empty `directory` leaves `name` as it is.
[[nodiscard]] std::string join_path(std::string_view directory, std::string_view name);

// What follows the last '/', or everything.
[[nodiscard]] std::string_view last_part(std::string_view path);

// Whether the absolute, real `path` lies below the absolute, real `directory`.
[[nodiscard]] bool lies_in(std::string_view path, std::string_view directory);

// The names in a directory without "." and "..", sorted bytewise. kFailure when it can't be read.
Result<std::vector<std::string>> list_directory(const std::string& path);

// The absolute path without symbolic links. kFailure when there is no such file or directory.
Result<std::string> real_path(const std::string& path);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_DIRECTORY_H_
