#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "finedelta/archive_reader.h"
#include "finedelta/inspect.h"
#include "json.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kOutput{"-o,--output", "FILE", "the .safetensors file to write",
                         &Arguments::output};
constexpr std::array kOptions{kOutput,       kLayersOption, kForceOption, kThreadsOption,
                              kMemoryOption, kJsonOption,   kQuietOption};

std::string closing_line(const ExtractReport& report, std::string_view output) {
  return fmt::format(
      "extracted{} {}, {} to {}; XXH3-128 of every chunk that was read checked ({} of the archive "
      "and {} of the base were read)",
      lossy_text(report.lossy), count_text(report.tensors, "tensor"), size_text(report.bytes),
      in_quotes(output), size_text(report.archive_bytes_read), size_text(report.base_bytes_read));
}

std::string json(const ExtractReport& report, std::string_view output, const Session& session) {
  return dump(Json{{"output", output},
                   {"tensors", report.tensors},
                   {"bytes", report.bytes},
                   {"lossy", report.lossy},
                   {"archive_bytes_read", report.archive_bytes_read},
                   {"base_bytes_read", report.base_bytes_read}},
              session);
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& given = arguments.positionals;
  const auto archive = std::ranges::find_if(given, is_archive);
  if (archive == given.end()) {
    return usage_error(kExtract, given.empty() ? "name an archive and its tensors"
                                               : "none of the arguments is an archive");
  }
  const std::vector<std::string> names(archive + 1, given.end());
  if (names.empty()) {
    return usage_error(kExtract, fmt::format("name tensors after {}: 'finedelta inspect' lists "
                                             "them",
                                             in_quotes(*archive)));
  }
  ExtractOptions options;
  options.force = arguments.force;
  options.layers = arguments.layers;
  session.begin("extracting from", in_quotes(*archive), options);
  const std::string& output = arguments.output[0];
  const Result<ExtractReport> report =
      extract({given.begin(), archive}, *archive, names, output, options);
  if (!report.has_value()) return std::unexpected(report.error());
  return Report{json(*report, output, session), "", closing_line(*report, output)};
}

}  // namespace

constinit const Verb kExtract{
    .name = "extract",
    .usage = "[BASE...] ARCHIVE NAME[START:STOP]... -o FILE",
    .summary = "get single tensors, or rows of them",
    .description =
        "Writes the named tensors of ARCHIVE, or their rows START to STOP (excluded),\n"
        "to a new .safetensors file, and reads only what they need. The first argument\n"
        "that is an archive is ARCHIVE: bases come before it, names after it.\n",
    .examples =
        "  finedelta extract my-tune.fd lm_head.weight -o head.safetensors\n"
        "  finedelta extract ./my-base my-tune.fd 'model.embed_tokens.weight[0:256]' \\\n"
        "      -o rows.safetensors\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
