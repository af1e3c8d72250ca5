#include "parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "finedelta/version.h"
#include "help.h"
#include "render/text.h"
#include "render/units.h"

namespace finedelta::cli {
namespace {

constexpr unsigned kMostThreads = 1024;

std::unexpected<Error> refuse(const Verb* verb, std::string_view message) {
  if (verb != nullptr) return usage_error(*verb, message);
  return std::unexpected(
      Error{ErrorCode::kUsage, fmt::format("{}; see 'finedelta --help'", message)});
}

bool contains(std::span<const std::string> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::span<const std::string> before_dashes(std::span<const std::string> words) {
  return words.first(static_cast<size_t>(std::ranges::find(words, "--") - words.begin()));
}

// CLI11 reads options; positionals stay with it as "extras", because its own vector positionals
// take a path such as "[model]" apart.
void declare(CLI::App& program, const Verb& verb, Arguments& arguments) {
  CLI::App& app = *program.add_subcommand(std::string(verb.name));
  app.allow_extras();
  for (const Option& option : verb.options) {
    const std::string names(option.names);
    if (const auto* flag = std::get_if<bool Arguments::*>(&option.target)) {
      app.add_flag(names, arguments.**flag)->disable_flag_override();
    } else {
      auto& values = arguments.*std::get<std::vector<std::string> Arguments::*>(option.target);
      app.add_option(names, values)
          ->expected(1)
          ->allow_extra_args(false)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
}

// What CLI11 found wrong, in our words. Options are all it reads, so either a value is missing or
// there is one too many.
std::string explain(const CLI::ParseError& error) {
  const std::string message = error.what();
  const size_t colon = message.find(": ");
  if (colon != std::string::npos) return message.substr(0, colon) + " needs a value";
  return fmt::format("--{} takes no value", message.substr(0, message.find(' ')));
}

std::string_view long_name(const Option& option) {
  return option.names.substr(option.names.find("--"));
}

Status check_values(const Verb& verb, const Arguments& arguments) {
  for (const Option& option : verb.options) {
    const auto* target = std::get_if<std::vector<std::string> Arguments::*>(&option.target);
    if (target == nullptr) continue;
    const auto& values = arguments.**target;
    const std::string_view name = long_name(option);
    if (values.size() > 1 && !option.repeatable) {
      return refuse(&verb, fmt::format("{} is given twice", name));
    }
    if (contains(values, "")) return refuse(&verb, fmt::format("{} is empty", name));
    if (values.empty() && *target == &Arguments::output) {
      return refuse(&verb, fmt::format("'{}' needs -o {}", verb.name, option.value));
    }
  }
  return {};
}

Status check_positionals(const Verb& verb, std::span<const std::string> options_read,
                         const Arguments& arguments) {
  for (const std::string& word : options_read) {
    if (word.size() > 1 && word[0] == '-') {
      return refuse(&verb, fmt::format("unknown option {}", in_quotes(word)));
    }
  }
  if (contains(arguments.positionals, "")) {
    return refuse(&verb, "an argument is an empty string");
  }
  return {};
}

// The value of an option that is a whole number in a range; `to` keeps its default without it.
template <typename Number>
Status read_number(const Verb& verb, std::string_view option, const std::vector<std::string>& texts,
                   Number least, Number most, Number& to) {
  if (texts.empty()) return {};
  const char* const end = texts[0].data() + texts[0].size();
  const auto [stop, error] = std::from_chars(texts[0].data(), end, to);
  if (error == std::errc{} && stop == end && to >= least && to <= most) return {};
  return refuse(&verb, fmt::format("{} {} is not a number from {} to {}", option,
                                   in_quotes(texts[0]), least, most));
}

Status read_numbers(const Verb& verb, Arguments& arguments) {
  constexpr unsigned kMostLayers = 2;
  if (auto status = read_number(verb, "--threads", arguments.thread_text, 1u, kMostThreads,
                                arguments.threads);
      !status) {
    return status;
  }
  if (auto status = read_number(verb, "--level", arguments.level_text, kFastestLevel,
                                kSmallestLevel, arguments.level);
      !status) {
    return status;
  }
  return read_number(verb, "--layers", arguments.layers_text, 1u, kMostLayers, arguments.layers);
}

// "-5" is short for "--level 5". CLI11 leaves it over, where it is no value of another option.
void take_levels(const Verb& verb, std::vector<std::string>& words, Arguments& arguments) {
  const auto has_level = [](const Option& option) { return option.names == kLevelOption.names; };
  if (std::ranges::none_of(verb.options, has_level)) return;
  std::erase_if(words, [&](const std::string& word) {
    const bool is_level = word.size() == 2 && word[0] == '-' && word[1] >= '1' && word[1] <= '9';
    if (is_level) arguments.level_text.push_back(word.substr(1));
    return is_level;
  });
}

Status read_memory(const Verb& verb, Arguments& arguments) {
  if (arguments.memory_text.empty()) return {};
  const std::string& text = arguments.memory_text[0];
  const auto size = parse_size(text);
  if (!size.has_value()) {
    return refuse(&verb,
                  fmt::format("--memory {} is not a size such as 512M or 2GiB", in_quotes(text)));
  }
  if (*size < kLeastMemory) {
    return refuse(&verb,
                  fmt::format("--memory {} is too little: 64 MiB is the least", in_quotes(text)));
  }
  arguments.memory = *size;
  return {};
}

Status check_output(const Verb& verb, const Arguments& arguments) {
  if (arguments.output.empty() || arguments.output[0] != "-") return {};
  return refuse(&verb,
                "-o - is not possible: the output is written out of order and checked before it "
                "appears, so it must be a path");
}

const Verb* parsed_verb(const CLI::App& program) {
  for (const Verb* verb : kVerbs) {
    if (program.got_subcommand(std::string(verb->name))) return verb;
  }
  return nullptr;
}

Status parse_verb(const Verb& verb, const CLI::App& app, std::span<const std::string> after_dashes,
                  Arguments& arguments) {
  std::vector<std::string> words = app.remaining();
  take_levels(verb, words, arguments);
  arguments.positionals = words;
  arguments.positionals.insert(arguments.positionals.end(), after_dashes.begin(),
                               after_dashes.end());
  if (auto status = check_positionals(verb, words, arguments); !status) return status;
  if (auto status = check_values(verb, arguments); !status) return status;
  if (auto status = check_output(verb, arguments); !status) return status;
  if (auto status = read_numbers(verb, arguments); !status) return status;
  return read_memory(verb, arguments);
}

}  // namespace

std::unexpected<Error> usage_error(const Verb& verb, std::string_view message) {
  return std::unexpected(
      Error{ErrorCode::kUsage, fmt::format("{}; see 'finedelta {} --help'", message, verb.name)});
}

bool wants_json(std::span<const std::string> words) {
  return contains(before_dashes(words), "--json");
}

Result<Request> parse(std::span<const std::string> words) {
  Request request;
  CLI::App program;
  program.require_subcommand(0, 1);
  program.allow_extras();
  const CLI::Option* version = program.add_flag("--version");
  for (const Verb* verb : kVerbs) declare(program, *verb, request.arguments);

  const auto options = before_dashes(words);
  const auto after = words.subspan(std::min(words.size(), options.size() + 1));
  try {
    program.parse(std::vector<std::string>(options.rbegin(), options.rend()));
  } catch (const CLI::CallForHelp&) {
    const Verb* verb = parsed_verb(program);
    request.text = verb == nullptr ? program_help() : verb_help(*verb);
    return request;
  } catch (const CLI::ParseError& error) {
    return refuse(parsed_verb(program), explain(error));
  }
  if (const auto left = program.remaining(); !left.empty()) {
    return refuse(nullptr,
                  fmt::format("unknown {} {}", left[0].starts_with('-') ? "option" : "verb",
                              in_quotes(left[0])));
  }
  if (version->count() > 0) {
    request.text = "finedelta " + std::string(finedelta::version()) + "\n";
    return request;
  }
  request.verb = parsed_verb(program);
  if (request.verb == nullptr) return refuse(nullptr, "a verb is missing");
  const CLI::App& app = *program.get_subcommand(std::string(request.verb->name));
  if (auto status = parse_verb(*request.verb, app, after, request.arguments); !status) {
    return std::unexpected(std::move(status).error());
  }
  return request;
}

}  // namespace finedelta::cli
