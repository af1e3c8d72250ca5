#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "finedelta/lora.h"
#include "json.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kOutput{"-o,--output", "DIR", "the directory to write the adapter to",
                         &Arguments::output};
constexpr Option kSize{"--size", "SIZE",
                       "at most so large an adapter_model.safetensors; units as of --memory",
                       &Arguments::size_text};
constexpr Option kEnergy{"--energy", "SHARE",
                         "keep this share, between 0 and 1, of the squared differences of all "
                         "matrices",
                         &Arguments::energy_text};
constexpr Option kMaxRank{"--max-rank", "R",
                          "every matrix up to this rank, without what is only rounding behind an "
                          "adapter that was merged (default 64)",
                          &Arguments::max_rank_text};
constexpr Option kPlusResidual{"--plus-residual", "",
                               "also write DIR/residual.fd, from which 'unpack BASE' gives the "
                               "exact fine-tune",
                               &Arguments::plus_residual};
constexpr Option kFromArchive{"--from-archive", "ARCHIVE",
                              "use the factors of low rank in an archive, without base and "
                              "fine-tune",
                              &Arguments::from_archive};
constexpr std::array kOptions{kOutput,       kSize,        kEnergy,      kMaxRank,
                              kPlusResidual, kFromArchive, kForceOption, kThreadsOption,
                              kMemoryOption, kJsonOption,  kQuietOption};

template <typename T>
std::optional<T> number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

Status read_budget(const Arguments& arguments, LoraOptions& options) {
  if (!arguments.size_text.empty()) {
    options.size = parse_size(arguments.size_text[0]);
    if (!options.size) {
      return usage_error(kLora, fmt::format("--size {} is not a size such as 20MB or 64KiB",
                                            in_quotes(arguments.size_text[0])));
    }
  }
  if (!arguments.energy_text.empty()) {
    options.energy = number<double>(arguments.energy_text[0]);
    if (!options.energy || !(*options.energy > 0 && *options.energy < 1)) {
      return usage_error(kLora, fmt::format("--energy {} is not a number between 0 and 1",
                                            in_quotes(arguments.energy_text[0])));
    }
  }
  if (!arguments.max_rank_text.empty()) {
    options.max_rank = number<uint64_t>(arguments.max_rank_text[0]);
    if (!options.max_rank || *options.max_rank == 0) {
      return usage_error(kLora, fmt::format("--max-rank {} is not a number from 1 on",
                                            in_quotes(arguments.max_rank_text[0])));
    }
  }
  const size_t budgets =
      arguments.size_text.size() + arguments.energy_text.size() + arguments.max_rank_text.size();
  if (budgets > 1) return usage_error(kLora, "--size, --energy and --max-rank exclude each other");
  if (arguments.from_archive.empty()) return {};
  if (budgets > 0 || arguments.plus_residual || !arguments.positionals.empty()) {
    return usage_error(kLora,
                       "--from-archive takes all that the archive holds: no model, no budget and "
                       "no --plus-residual go with it");
  }
  return {};
}

Json tensor_json(const LoraTensor& tensor) {
  return {{"name", tensor.name},
          {"module", text_json(tensor.module)},
          {"dtype", tensor.dtype},
          {"shape", tensor.shape},
          {"stored", tensor.stored},
          {"rank", tensor.rank},
          {"reason", text_json(tensor.reason)},
          {"relative_change", number_json(tensor.relative_change)},
          {"relative_error", number_json(tensor.relative_error)}};
}

std::string json(const LoraReport& report, std::string_view output, const Session& session) {
  Json object{{"output", output},
              {"adapter_bytes", report.adapter_bytes},
              {"residual_bytes", report.residual_bytes},
              {"modules", report.modules},
              {"saved_modules", report.saved_modules},
              {"left_out", report.left_out},
              {"largest_rank", report.largest_rank},
              {"energy_kept", number_json(report.energy_kept)},
              {"tensors", Json::array()}};
  for (const LoraTensor& tensor : report.tensors) object["tensors"].push_back(tensor_json(tensor));
  return dump(std::move(object), session);
}

std::string closing_line(const LoraReport& report, std::string_view output) {
  std::string line =
      fmt::format("made an adapter of {}, {} with factors of rank up to {} and {} whole, in {}",
                  size_text(report.adapter_bytes), count_text(report.modules, "module"),
                  report.largest_rank, report.saved_modules, in_quotes(output));
  if (report.energy_kept) {
    // Rounded down: 100 % is said of nothing less.
    const double percent = std::floor(10000 * *report.energy_kept) / 100;
    line += fmt::format("; {:.2f} % of the matrices' squared differences kept", percent);
  }
  if (report.left_out > 0)
    line += fmt::format("; {} left out", count_text(report.left_out, "tensor"));
  if (report.residual_bytes > 0) {
    line += fmt::format("; residual.fd, {}, has the rest", size_text(report.residual_bytes));
  }
  return line;
}

Result<LoraReport> make(const Arguments& arguments, Session& session) {
  LoraOptions options;
  if (auto status = read_budget(arguments, options); !status) {
    return std::unexpected(std::move(status).error());
  }
  options.force = arguments.force;
  options.plus_residual = arguments.plus_residual;
  const std::string& output = arguments.output[0];
  if (!arguments.from_archive.empty()) {
    LoraFromArchiveOptions plain;
    plain.force = arguments.force;
    session.begin("making an adapter from", in_quotes(arguments.from_archive[0]), plain);
    return lora_from_archive(arguments.from_archive[0], output, plain);
  }
  if (arguments.positionals.size() != 2) {
    return usage_error(kLora, "name one base and one fine-tune, or give --from-archive");
  }
  session.begin("making an adapter of", in_quotes(arguments.positionals[1]), options);
  return lora(arguments.positionals[0], arguments.positionals[1], output, options);
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const Result<LoraReport> report = make(arguments, session);
  if (!report.has_value()) return std::unexpected(report.error());
  const std::string& output = arguments.output[0];
  return Report{json(*report, output, session), "", closing_line(*report, output)};
}

}  // namespace

constinit const Verb kLora{
    .name = "lora",
    .usage = "BASE FINE_TUNE -o DIR",
    .summary = "make a PEFT adapter (LoRA) of what a fine-tune adds",
    .description =
        "Writes an adapter that PEFT loads on top of BASE: the leading singular\n"
        "directions of what each matrix gained, and norms that changed as they are.\n"
        "An adapter that was merged into FINE_TUNE is found again; of other fine-tunes\n"
        "a part is kept, and the report says how much. A module is what its tensors are\n"
        "called, and PEFT must find it in BASE under that name. No data is needed.\n",
    .examples =
        "  finedelta lora meta-llama/Llama-3.1-8B ./my-tune -o my-adapter\n"
        "  finedelta lora ./base ./my-tune -o my-adapter --size 20MB\n"
        "  finedelta lora ./base ./my-tune -o both --energy 0.9 --plus-residual\n"
        "  finedelta lora --from-archive my-tune.fd -o my-adapter\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
