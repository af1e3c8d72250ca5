#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "finedelta/pack.h"
#include "json.h"
#include "lossy.h"
#include "models.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kOutput{"-o,--output", "ARCHIVE", "where to write the archive",
                         &Arguments::output};
constexpr std::array kOptions{kOutput,         kNoBaseOption,      kAllOption,   kLevelOption,
                              kLossyOption,    kBitsOption,        kSizeOption,  kRatioOption,
                              kMaxErrorOption, kProgressiveOption, kForceOption, kThreadsOption,
                              kMemoryOption,   kJsonOption,        kQuietOption};

std::string closing_line(const PackReport& report, std::string_view archive) {
  std::string lossy;
  if (report.lossy) {
    lossy = fmt::format(" LOSSY ({} inexact: 'finedelta inspect' has the errors),",
                        count_text(report.lossy_tensors, "tensor"));
  } else if (report.progressive) {
    lossy = fmt::format(" in 2 layers, the first LOSSY ({} inexact), the second {},",
                        count_text(report.lossy_tensors, "tensor"),
                        size_text(report.second_layer_bytes));
  }
  return fmt::format(
      "packed{} {}, {} into {} ({}), {}; {} of {} matched with a base; the archive was not read "
      "back: 'finedelta verify' does that",
      lossy, count_text(report.files, "file"), size_text(report.input_bytes),
      size_text(report.archive_bytes), ratio_text(report.input_bytes, report.archive_bytes),
      in_quotes(archive), report.matched_tensors, count_text(report.tensors, "tensor"));
}

std::string json(const PackReport& report, std::string_view archive, const Session& session) {
  return dump(Json{{"archive", archive},
                   {"files", report.files},
                   {"input_bytes", report.input_bytes},
                   {"weight_bytes", report.weight_bytes},
                   {"archive_bytes", report.archive_bytes},
                   {"ratio", ratio_json(report.input_bytes, report.archive_bytes)},
                   {"tensors", report.tensors},
                   {"matched_tensors", report.matched_tensors},
                   {"needed_bases", report.bases},
                   {"lossy", report.lossy},
                   {"lossy_tensors", report.lossy_tensors},
                   {"progressive", report.progressive},
                   {"second_layer_bytes", report.second_layer_bytes}},
              session);
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const Result<Models> models = read_models(kPack, arguments);
  if (!models.has_value()) return std::unexpected(models.error());
  const std::string& archive = arguments.output[0];
  PackOptions options;
  options.all = arguments.all;
  options.force = arguments.force;
  options.level = arguments.level;
  const auto lossy = read_lossy(kPack, arguments);
  if (!lossy.has_value()) return std::unexpected(lossy.error());
  options.lossy = *lossy;
  options.progressive = arguments.progressive;
  session.begin("packing", in_quotes(models->fine_tune), options);
  const Result<PackReport> report = pack(models->bases, models->fine_tune, archive, options);
  if (!report.has_value()) return std::unexpected(report.error());
  return Report{json(*report, archive, session), "", closing_line(*report, archive)};
}

}  // namespace

constinit const Verb kPack{
    .name = "pack",
    .usage = "BASE... FINE_TUNE -o ARCHIVE",
    .summary = "store a fine-tune as what it adds to its base",
    .description =
        "Writes an archive from which 'unpack' gets FINE_TUNE back byte for byte, given\n"
        "the same BASE; several bases are allowed. A model is a directory, a\n"
        ".safetensors file, or ORG/NAME[@REVISION] in the local Hugging Face cache.\n"
        "\n"
        "With --lossy, the archive has the size that is asked for, and what it gives back\n"
        "is near FINE_TUNE but not the same; 'inspect' says how near. With --progressive\n"
        "too, 'unpack --layers 1' gives that, and 'unpack' the same as FINE_TUNE.\n",
    .examples =
        "  finedelta pack meta-llama/Llama-3.1-8B ./my-tune -o my-tune.fd\n"
        "  finedelta pack base.safetensors tune.safetensors -o tune.fd -9\n"
        "  finedelta pack --no-base ./my-model -o my-model.fd\n"
        "  finedelta pack --lossy --ratio 32 org/base ./my-tune -o my-tune.lossy.fd\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
