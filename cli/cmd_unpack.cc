#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "finedelta/inspect.h"
#include "finedelta/unpack.h"
#include "json.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kOutput{"-o,--output", "DIR", "where to rebuild it: a new directory, or a file",
                         &Arguments::output};
constexpr Option kWeightsOnly{"--weights-only", "", "rebuild the .safetensors files alone",
                              &Arguments::weights_only};
constexpr Option kSha256{"--sha256", "", "check the SHA-256 of every file too", &Arguments::sha256};
constexpr std::array kOptions{kOutput,       kWeightsOnly, kSha256,
                              kLayersOption, kForceOption, kThreadsOption,
                              kMemoryOption, kJsonOption,  kQuietOption};

// The archive comes last; the one mistake that is easy to see is the archive in front.
Status check_order(const std::vector<std::string>& positionals) {
  if (positionals.empty()) return usage_error(kUnpack, "name an archive");
  if (positionals.size() > 1 && !is_archive(positionals.back()) && is_archive(positionals[0])) {
    return usage_error(kUnpack, fmt::format("{} is an archive, and the archive comes last",
                                            in_quotes(positionals[0])));
  }
  return {};
}

std::string closing_line(const UnpackReport& report, std::string_view output) {
  return fmt::format("unpacked{} {}, {} to {}; XXH3-128 of every chunk{} checked",
                     lossy_text(report.lossy), count_text(report.files, "file"),
                     size_text(report.bytes), in_quotes(output),
                     report.sha256_checked ? " and SHA-256 of every file" : "");
}

std::string json(const UnpackReport& report, std::string_view output, const Session& session) {
  return dump(Json{{"output", output},
                   {"files", report.files},
                   {"bytes", report.bytes},
                   {"sha256_checked", report.sha256_checked},
                   {"lossy", report.lossy},
                   {"bases", report.bases}},
              session);
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& given = arguments.positionals;
  if (const Status status = check_order(given); !status) return std::unexpected(status.error());
  UnpackOptions options;
  options.weights_only = arguments.weights_only;
  options.sha256 = arguments.sha256;
  options.layers = arguments.layers;
  options.force = arguments.force;
  session.begin("unpacking", in_quotes(given.back()), options);
  const std::string& output = arguments.output[0];
  const Result<UnpackReport> report =
      unpack({given.begin(), given.end() - 1}, given.back(), output, options);
  if (!report.has_value()) return std::unexpected(report.error());
  return Report{json(*report, output, session), "", closing_line(*report, output)};
}

}  // namespace

constinit const Verb kUnpack{
    .name = "unpack",
    .usage = "[BASE...] ARCHIVE -o DIR",
    .summary = "get a fine-tune back, byte for byte",
    .description =
        "Rebuilds the fine-tune in ARCHIVE at DIR (a file where a single file was\n"
        "packed). Bases come in any order; one that is left out is looked for in the\n"
        "local Hugging Face cache. Nothing appears at DIR before every byte is checked.\n",
    .examples =
        "  finedelta unpack my-tune.fd -o ./restored\n"
        "  finedelta unpack ./my-base my-tune.fd -o ./restored --sha256\n"
        "  finedelta unpack base.safetensors tune.fd -o tune.safetensors\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
