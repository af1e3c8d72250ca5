#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "finedelta/pack.h"
#include "json.h"
#include "models.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kOutput{"-o,--output", "ARCHIVE", "where to write the archive",
                         &Arguments::output};
constexpr Option kLossy{"--lossy", "",
                        "store matrices inexactly; needs one of --bits, --size and --ratio",
                        &Arguments::lossy};
constexpr Option kBits{"--bits", "N",
                       "with --lossy: average bits per weight of the archive, as 0.5",
                       &Arguments::bits_text};
constexpr Option kSize{"--size", "SIZE", "with --lossy: size of the archive, as 50MB",
                       &Arguments::size_text};
constexpr Option kRatio{"--ratio", "N", "with --lossy: how many times smaller than the fine-tune",
                        &Arguments::ratio_text};
constexpr std::array kOptions{
    kOutput, kNoBaseOption, kAllOption,     kLevelOption,  kLossy,      kBits,       kSize,
    kRatio,  kForceOption,  kThreadsOption, kMemoryOption, kJsonOption, kQuietOption};

// A decimal number above 0.
std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !std::isfinite(value) || value <= 0) {
    return std::nullopt;
  }
  return value;
}

Result<LossyTarget> read_target(const Arguments& arguments) {
  using Kind = LossyTarget::Kind;
  if (!arguments.size_text.empty()) {
    const std::string& text = arguments.size_text[0];
    const auto bytes = parse_size(text);
    if (bytes && *bytes > 0) {
      return LossyTarget{.kind = Kind::kBytes, .value = static_cast<double>(*bytes)};
    }
    return usage_error(kPack, fmt::format("--size {} is not a size such as 50MB", in_quotes(text)));
  }
  const bool bits = !arguments.bits_text.empty();
  const std::string& text = bits ? arguments.bits_text[0] : arguments.ratio_text[0];
  const auto value = parse_number(text);
  if (value) return LossyTarget{.kind = bits ? Kind::kBits : Kind::kRatio, .value = *value};
  return usage_error(kPack, fmt::format("{} {} is not a number above 0 such as 0.5",
                                        bits ? "--bits" : "--ratio", in_quotes(text)));
}

// None: exact.
Result<std::optional<LossyTarget>> read_lossy(const Arguments& arguments) {
  const size_t targets =
      arguments.bits_text.size() + arguments.size_text.size() + arguments.ratio_text.size();
  if (!arguments.lossy && targets == 0) return std::nullopt;
  if (!arguments.lossy) {
    return usage_error(kPack,
                       "--bits, --size and --ratio need --lossy: what comes back then is "
                       "not the fine-tune");
  }
  if (targets != 1) {
    return usage_error(kPack, "--lossy needs exactly one of --bits, --size and --ratio");
  }
  const Result<LossyTarget> target = read_target(arguments);
  if (!target.has_value()) return std::unexpected(target.error());
  return *target;
}

std::string closing_line(const PackReport& report, std::string_view archive) {
  const std::string lossy =
      report.lossy ? fmt::format(" LOSSY ({} inexact: 'finedelta inspect' has the errors),",
                                 count_text(report.lossy_tensors, "tensor"))
                   : "";
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
                   {"lossy_tensors", report.lossy_tensors}},
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
  const auto lossy = read_lossy(arguments);
  if (!lossy.has_value()) return std::unexpected(lossy.error());
  options.lossy = *lossy;
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
        "is near FINE_TUNE but not the same; 'inspect' says how near.\n",
    .examples =
        "  finedelta pack meta-llama/Llama-3.1-8B ./my-tune -o my-tune.fd\n"
        "  finedelta pack base.safetensors tune.safetensors -o tune.fd -9\n"
        "  finedelta pack --no-base ./my-model -o my-model.fd\n"
        "  finedelta pack --lossy --ratio 32 org/base ./my-tune -o my-tune.lossy.fd\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
