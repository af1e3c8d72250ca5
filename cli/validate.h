// The one verb that is not of this program: the report is written by the Python package.
#ifndef FINEDELTA_CLI_VALIDATE_H_
#define FINEDELTA_CLI_VALIDATE_H_

#include <span>
#include <string>
#include <string_view>

#include "finedelta/result.h"

namespace finedelta::cli {

inline constexpr std::string_view kValidateName = "validate";
inline constexpr std::string_view kValidateSummary =
    "write a report: sizes, speed, exactness, measured on this machine (Python package)";

// Becomes python3, which runs the verb with `words`, the first of which is its name. Streams,
// signals and exit code are Python's from then on. Returns only where that is not possible.
[[nodiscard]] Error become_validate(std::span<const std::string> words);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_VALIDATE_H_
