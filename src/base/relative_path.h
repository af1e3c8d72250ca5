// Paths from an archive, checked before anything is created under them.
#ifndef FINEDELTA_BASE_RELATIVE_PATH_H_
#define FINEDELTA_BASE_RELATIVE_PATH_H_

#include <cstddef>
#include <string_view>

#include "finedelta/result.h"

namespace finedelta {

inline constexpr size_t kLongestRelativePath = 4096;  // bytes
inline constexpr size_t kLongestPathPart = 255;       // bytes between two '/'

// kDamaged unless `path` is relative, within the limits above, free of NUL bytes and of empty, "."
// and ".." parts: so it stays below the directory that it is appended to (links aside).
Status check_relative_path(std::string_view path);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_RELATIVE_PATH_H_
