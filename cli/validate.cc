#include "validate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "json.h"
#include "parse.h"

namespace finedelta::cli {
namespace {

constexpr std::string_view kWhatToDo =
    "; install the package in a Python environment that comes first on the PATH, or run `python -m "
    "finedelta validate` with the Python that has it";

// Its first two words are what to print, on standard error and on standard output, where there is
// no package. What lies in the current folder is not the package, whatever its name.
constexpr const char* kScript = R"(import sys
missing, missing_json = sys.argv[1:3]
sys.argv[:3] = ["finedelta"]
if sys.path[:1] == [""]:
    del sys.path[0]
try:
    import finedelta.validate.command
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "finedelta":
        raise
    sys.stdout.write(missing_json)
    sys.exit(missing)
from finedelta.__main__ import main
main()
)";

std::string explain(std::string_view what) {
  return fmt::format("'validate' is part of the Python package, {}{}", what, kWhatToDo);
}

}  // namespace

Error become_validate(std::span<const std::string> words) {
  const std::string message = explain("which python3 does not find");
  std::string json;
  if (wants_json(words)) {
    json = error_json(static_cast<int>(ErrorCode::kFailure), message) + "\n";
  }
  std::vector<std::string> all{"python3", "-c", kScript, "finedelta: " + message, json};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  pointers.reserve(all.size() + 1);
  for (std::string& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  return {ErrorCode::kFailure,
          explain(fmt::format("and python3 cannot be run: {}", std::strerror(errno)))};
}

}  // namespace finedelta::cli
