// A verb of the command line: what it takes, how it describes itself, what it does.
#ifndef FINEDELTA_CLI_VERB_H_
#define FINEDELTA_CLI_VERB_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta::cli {

class Session;

// What the command line said. A verb finds set what its options name; the rest keeps its default.
struct Arguments {
  std::vector<std::string> positionals;  // never empty strings
  std::vector<std::string> output;       // none or one, neither "" nor "-"
  std::vector<std::string> bases;        // of --base; never empty strings
  std::vector<std::string> thread_text;  // as given; `threads` is what it means
  std::vector<std::string> memory_text;
  std::vector<std::string> level_text;
  std::vector<std::string> bits_text;
  std::vector<std::string> size_text;
  std::vector<std::string> ratio_text;
  std::vector<std::string> max_error_text;
  std::vector<std::string> energy_text;
  std::vector<std::string> max_rank_text;
  std::vector<std::string> layers_text;
  std::vector<std::string> from_archive;  // never an empty string
  unsigned threads = 0;
  unsigned layers = 0;
  int level = kDefaultLevel;
  uint64_t memory = kDefaultMemory;
  bool no_base = false;
  bool all = false;
  bool lossy = false;
  bool progressive = false;
  bool weights_only = false;
  bool sha256 = false;
  bool plus_residual = false;
  bool rank = false;
  bool equal = false;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

struct Option {
  std::string_view names;  // "-o,--output"
  std::string_view value;  // what the help calls its value; empty: it takes none
  std::string_view help;
  std::variant<bool Arguments::*, std::vector<std::string> Arguments::*> target;
  bool repeatable = false;
};

// What a verb has to say when it is done.
struct Report {
  std::string json;     // the object for --json
  std::string text;     // for standard output; may be empty
  std::string closing;  // one line: what was done and what was checked; may be empty
  int code = 0;         // with which the program exits, if it can print the rest
};

struct Verb {
  std::string_view name;
  std::string_view usage;        // what follows the verb: "BASE... FINE_TUNE -o ARCHIVE"
  std::string_view summary;      // a few words, for the list of verbs
  std::string_view description;  // lines of at most 80 columns
  std::string_view examples;     // lines of at most 78 columns
  std::span<const Option> options;
  Result<Report> (*run)(const Arguments&, Session&);
};

extern const Verb kPack;
extern const Verb kUnpack;
extern const Verb kVerify;
extern const Verb kInspect;
extern const Verb kPlan;
extern const Verb kExtract;
extern const Verb kLora;
extern const Verb kDiff;

inline const std::array kVerbs{&kPack, &kUnpack,  &kVerify, &kInspect,
                               &kPlan, &kExtract, &kLora,   &kDiff};

// Options that several verbs share.
inline constexpr Option kNoBaseOption{"--no-base", "", "take one model alone, without a base",
                                      &Arguments::no_base};
inline constexpr Option kAllOption{"--all", "", "keep .git/ and .cache/huggingface/ too",
                                   &Arguments::all};
inline constexpr Option kLevelOption{
    "--level", "N",
    "from 1, the fastest, to 9, the smallest archive (default 3); -1 to -9 say the same",
    &Arguments::level_text};
inline constexpr Option kLayersOption{
    "--layers", "N",
    "how many layers to read of a progressive archive: 1 for its lossy first layer (default: all)",
    &Arguments::layers_text};
inline constexpr Option kForceOption{"--force", "", "replace an existing output",
                                     &Arguments::force};
inline constexpr Option kThreadsOption{"--threads", "N",
                                       "worker threads (default: as many as the process may use)",
                                       &Arguments::thread_text};
inline constexpr Option kMemoryOption{
    "--memory", "SIZE",
    "most memory to use, at least 64 MiB (default 512 MiB); K, M, G and KiB, MiB, GiB are powers "
    "of 1024, KB, MB, GB powers of 1000; it wins over --threads",
    &Arguments::memory_text};
inline constexpr Option kJsonOption{
    "--json", "", "print one JSON object, the report or the error, on standard output",
    &Arguments::json};
inline constexpr Option kQuietOption{"-q,--quiet", "", "print errors and data, nothing else",
                                     &Arguments::quiet};

// A wrong call of a verb: kUsage, with a pointer to the verb's help.
[[nodiscard]] std::unexpected<Error> usage_error(const Verb& verb, std::string_view message);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_VERB_H_
