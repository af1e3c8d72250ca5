#include "help.h"

#include <fmt/format.h>

#include <algorithm>

#include "validate.h"

namespace finedelta::cli {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kHelpColumn = 24;

constexpr std::string_view kExitStatus = R"(
EXIT STATUS
    0  done
    1  failure: reading or writing failed, or a model was not found
    2  usage: a bad argument, an output that exists or can't be reached, or an
       archive of a format version that this finedelta does not read
    3  differences found (only by 'diff')
   12  wrong base: not the one that the archive was made from
   13  an input is damaged, or unsafe to follow
   14  no space for the output
  130  interrupted (SIGINT); nothing is left behind
  143  terminated (SIGTERM); nothing is left behind
  Any other code is a failure.
)";

// Appends the words of `text` from kHelpColumn on, in lines of at most kWidth columns. The last
// line of `result` is the one to go on with.
void append_wrapped(std::string& result, std::string_view text) {
  size_t column = result.size() - (result.rfind('\n') + 1);
  if (column + 2 > kHelpColumn) {
    result += '\n';
    column = 0;
  }
  result.append(kHelpColumn - column, ' ');
  column = kHelpColumn;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > kHelpColumn && column + 1 + word.size() > kWidth) {
      result += '\n' + std::string(kHelpColumn, ' ');
      column = kHelpColumn;
    } else if (column > kHelpColumn) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  result += '\n';
}

void append_option(std::string& result, std::string_view names, std::string_view value,
                   std::string_view help) {
  const size_t comma = names.find(',');
  if (comma == std::string_view::npos) {
    result += fmt::format("      {}", names);
  } else {
    result += fmt::format("  {}, {}", names.substr(0, comma), names.substr(comma + 1));
  }
  if (!value.empty()) result += fmt::format(" {}", value);
  append_wrapped(result, help);
}

}  // namespace

std::string program_help() {
  std::string result =
      "Usage: finedelta VERB ...\n\n"
      "Stores a fine-tuned model (safetensors) as what it adds to its base model:\n"
      "bit-exact, small, fast and verified.\n\n"
      "A model is a directory, a .safetensors file, or ORG/NAME[@REVISION] in the\n"
      "local Hugging Face cache. Nothing is ever fetched.\n\nVERBS\n";
  for (const Verb* verb : kVerbs) {
    result += fmt::format("  {}", verb->name);
    append_wrapped(result, verb->summary);
  }
  result += fmt::format("  {}", kValidateName);
  append_wrapped(result, kValidateSummary);
  result += "\n'finedelta VERB --help' says more about a verb.\n\nOPTIONS\n";
  append_option(result, "-h,--help", "", "print this help");
  append_option(result, "--version", "", "print the version");
  result +=
      "\nEXAMPLES\n"
      "  finedelta pack meta-llama/Llama-3.1-8B ./my-tune -o my-tune.fd\n"
      "  finedelta unpack my-tune.fd -o ./restored\n";
  result += kExitStatus;
  return result;
}

std::string verb_help(const Verb& verb) {
  std::string result = fmt::format("Usage: finedelta {} {} [options]\n\n{}\nOPTIONS\n", verb.name,
                                   verb.usage, verb.description);
  for (const Option& option : verb.options) {
    append_option(result, option.names, option.value, option.help);
  }
  append_option(result, "-h,--help", "", "print this help");
  result += "\nA path that starts with '-' goes after '--'.\n";
  result += fmt::format("\nEXAMPLES\n{}", verb.examples);
  result += kExitStatus;
  return result;
}

}  // namespace finedelta::cli
