// The command line, read and checked.
#ifndef FINEDELTA_CLI_PARSE_H_
#define FINEDELTA_CLI_PARSE_H_

#include <span>
#include <string>

#include "finedelta/result.h"
#include "verb.h"

namespace finedelta::cli {

struct Request {
  const Verb* verb = nullptr;  // null: only `text` is asked for
  Arguments arguments;
  std::string text;  // help or version
};

// `words` are the arguments without the program's name. kUsage for what no verb can make sense of:
// unknown words, missing or repeated values, empty strings, numbers out of range, `-o -`.
Result<Request> parse(std::span<const std::string> words);

// Whether --json is among the options: also known of a command line that `parse` refuses.
[[nodiscard]] bool wants_json(std::span<const std::string> words);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_PARSE_H_
