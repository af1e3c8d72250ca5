#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "finedelta/diff.h"
#include "finedelta/inspect.h"
#include "json.h"
#include "render/sparkline.h"
#include "render/table.h"
#include "render/tensor_text.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr Option kRank{"--rank", "",
                       "also find the effective rank of what each matrix gained; reads matrices "
                       "again, and takes several times as long",
                       &Arguments::rank};
constexpr Option kEqual{"--equal", "", "list equal tensors too", &Arguments::equal};
constexpr std::array kOptions{kRank,         kEqual,      kThreadsOption,
                              kMemoryOption, kJsonOption, kQuietOption};

constexpr int kDifferent = 3;  // the exit code

Json shape_json(const std::string& dtype, const std::vector<uint64_t>& shape) {
  return dtype.empty() ? Json(nullptr) : Json(shape);
}

void add_norms(Json& object, const Norms& norms) {
  object["base_norm"] = number_json(norms.base);
  object["fine_tune_norm"] = number_json(norms.fine_tune);
  object["delta_norm"] = number_json(norms.delta);
  object["relative_norm"] = number_json(norms.relative());
}

void add_non_finite(Json& object, const NonFinite& base, const NonFinite& fine_tune) {
  object["base_nans"] = base.nans;
  object["base_infinities"] = base.infinities;
  object["fine_tune_nans"] = fine_tune.nans;
  object["fine_tune_infinities"] = fine_tune.infinities;
}

Json floats_json(const std::optional<FloatDiff>& floats) {
  if (!floats) return nullptr;
  Json object;
  add_norms(object, floats->norms);
  object["largest_delta"] = number_json(floats->largest_delta);
  object["cosine"] = number_json(floats->cosine);
  add_non_finite(object, floats->base, floats->fine_tune);
  object["sign_bit"] = floats->sign_bit;
  object["exponent_bits"] = floats->exponent_bits;
  object["mantissa_bits"] = floats->mantissa_bits;
  object["steps"] = floats->steps;
  return object;
}

Json rank_json(const std::optional<EffectiveRank>& rank) {
  if (!rank) return nullptr;
  return {{"value", rank->value}, {"estimated", rank->estimated}};
}

Json tensor_json(const TensorDiff& tensor) {
  return {{"name", tensor.name},
          {"base_tensor", text_json(tensor.base_tensor)},
          {"status", tensor.status},
          {"shard", text_json(tensor.shard)},
          {"base_shard", text_json(tensor.base_shard)},
          {"dtype", text_json(tensor.dtype)},
          {"shape", shape_json(tensor.dtype, tensor.shape)},
          {"base_dtype", text_json(tensor.base_dtype)},
          {"base_shape", shape_json(tensor.base_dtype, tensor.base_shape)},
          {"elements", tensor.elements},
          {"changed", tensor.changed},
          {"changed_share", ratio_json(tensor.changed, tensor.elements)},
          {"floats", floats_json(tensor.floats)},
          {"effective_rank", rank_json(tensor.rank)}};
}

Json totals_json(const DiffReport& report) {
  Json object{{"identical", report.identical()},
              {"base", report.base},
              {"fine_tune", report.fine_tune},
              {"equal", report.equal},
              {"changed", report.changed},
              {"resized", report.resized},
              {"not_comparable", report.not_comparable},
              {"only_in_base", report.only_in_base},
              {"only_in_fine_tune", report.only_in_fine_tune},
              {"renamed", report.renamed},
              {"elements", report.elements},
              {"changed_elements", report.changed_elements},
              {"changed_share", ratio_json(report.changed_elements, report.elements)}};
  add_norms(object, report.norms);
  add_non_finite(object, report.base_non_finite, report.fine_tune_non_finite);
  return object;
}

// Tensor by tensor: as objects, all of many would take several times the memory of their text.
std::string json(const DiffReport& report, const Session& session) {
  Json rest{{"equal_files", report.equal_files}, {"files", Json::array()}};
  for (const FileDiff& file : report.files) {
    rest["files"].push_back({{"path", file.path}, {"status", file.status}});
  }
  std::string text = dump(totals_json(report));
  text.back() = ',';
  text += "\"tensors\":[";
  for (const TensorDiff& tensor : report.tensors) {
    const std::string one = dump(tensor_json(tensor));
    // Room for all, where they are about as long: text that grows is there twice for a while.
    if (&tensor == report.tensors.data()) text.reserve(2 * one.size() * report.tensors.size());
    text += one + ',';
  }
  if (text.back() == ',') text.pop_back();
  text += "],";
  text += std::string_view(dump(std::move(rest), session)).substr(1);
  return text;
}

// Rounded so that neither 0 % nor 100 % is said of anything else.
std::string percent_text(uint64_t part, uint64_t whole) {
  if (whole == 0 || part == 0) return "0 %";
  if (part == whole) return "100 %";
  const double percent = 100 * (static_cast<double>(part) / static_cast<double>(whole));
  if (percent < 0.01) return "<0.01 %";
  return fmt::format("{:.2f} %", std::min(percent, 99.99));
}

std::string relative_text(const Norms& norms) {
  const std::optional<double> relative = norms.relative();
  if (!relative) return "-";
  if (!std::isfinite(*relative)) return "-";
  return *relative == 0 ? "0" : fmt::format("{:.2e}", *relative);
}

// Rounded down: 1.000000 is said of nothing less, up to rounding errors.
std::string cosine_text(const std::optional<double>& cosine) {
  if (!cosine) return "-";
  return fmt::format("{:.6f}", std::floor(1e6 * *cosine + 1e-6) / 1e6);
}

std::string rank_text(const std::optional<EffectiveRank>& rank) {
  if (!rank) return "";
  return fmt::format("{}{:.1f}", rank->estimated ? "~" : "", rank->value);
}

bool is_compared(const TensorDiff& tensor) {
  return tensor.status == "changed" || tensor.status == "equal" || tensor.status == "resized";
}

std::string old_shape_text(const TensorDiff& tensor) {
  const std::string shape = shape_text(tensor.shape);
  return tensor.shape == tensor.base_shape ? shape : shape_text(tensor.base_shape) + " -> " + shape;
}

// Empty where it would have no rows.
std::string compared_text(const DiffReport& report, const Arguments& arguments) {
  std::vector<Column> columns{{"TENSOR"},
                              {"DTYPE"},
                              {"SHAPE"},
                              {"CHANGED", Align::kRight},
                              {"RELATIVE NORM", Align::kRight},
                              {"COSINE", Align::kRight}};
  if (arguments.rank) columns.push_back({"RANK", Align::kRight});
  columns.push_back({"STEPS"});
  Table table(std::move(columns));
  const bool blocks = is_utf8_environment();
  bool any = false;
  for (const TensorDiff& tensor : report.tensors) {
    if (!is_compared(tensor) || (tensor.status == "equal" && !arguments.equal)) continue;
    any = true;
    std::vector<std::string> cells{tensor.name, tensor.dtype, old_shape_text(tensor),
                                   percent_text(tensor.changed, tensor.elements)};
    const auto& floats = tensor.floats;
    cells.push_back(floats ? relative_text(floats->norms) : "-");
    cells.push_back(floats ? cosine_text(floats->cosine) : "-");
    if (arguments.rank) cells.push_back(rank_text(tensor.rank));
    cells.push_back(floats ? sparkline(floats->steps, blocks) : "");
    table.add(std::move(cells));
  }
  return any ? table.text() + "\n" : "";
}

std::string uncompared_text(const DiffReport& report) {
  Table table({{"NOT COMPARED"}, {"DTYPE"}, {"SHAPE"}, {"WHY"}});
  bool any = false;
  for (const TensorDiff& tensor : report.tensors) {
    if (is_compared(tensor)) continue;
    any = true;
    const bool in_fine_tune = !tensor.dtype.empty();
    std::string why = tensor.status;
    if (in_fine_tune && !tensor.base_dtype.empty()) {
      why += fmt::format(": base has {} {}", tensor.base_dtype, shape_text(tensor.base_shape));
    }
    table.add({tensor.name, in_fine_tune ? tensor.dtype : tensor.base_dtype,
               shape_text(in_fine_tune ? tensor.shape : tensor.base_shape), why});
  }
  return any ? table.text() + "\n" : "";
}

std::string files_text(const DiffReport& report) {
  Table table({{"FILE"}, {"STATUS"}});
  for (const FileDiff& file : report.files) table.add({file.path, file.status});
  return report.files.empty() ? "" : table.text() + "\n";
}

std::string non_finite_text(std::string_view what, const NonFinite& counts) {
  if (counts.nans == 0 && counts.infinities == 0) return "";
  return fmt::format(
      "; {} has {} and {}", what, count_text(counts.nans, "NaN"),
      counts.infinities == 1 ? "1 infinity" : fmt::format("{} infinities", counts.infinities));
}

std::string differences_text(const DiffReport& report) {
  const size_t tensors = report.tensors.size();
  std::string line = fmt::format(
      "tensors: {} of {} differ, {} of the elements compared; relative norm {}",
      tensors - report.equal, tensors, percent_text(report.changed_elements, report.elements),
      relative_text(report.norms));
  if (report.renamed > 0) line += fmt::format("; {} renamed", report.renamed);
  const uint64_t files = report.equal_files + report.files.size();
  if (files > 0) line += fmt::format("; other files: {} of {} differ", report.files.size(), files);
  return line;
}

std::string summary(const DiffReport& report) {
  std::string line = report.identical() ? fmt::format("identical: {} and {}",
                                                      count_text(report.tensors.size(), "tensor"),
                                                      count_text(report.equal_files, "other file"))
                                        : differences_text(report);
  line += non_finite_text("the base", report.base_non_finite);
  line += non_finite_text("the fine-tune", report.fine_tune_non_finite);
  return line + "\n";
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const std::vector<std::string>& given = arguments.positionals;
  if (given.size() != 2) return usage_error(kDiff, "name one base and one fine-tune");
  if (const auto archive = std::ranges::find_if(given, is_archive); archive != given.end()) {
    return usage_error(kDiff, fmt::format("{} is an archive, not a model: 'finedelta unpack' gives "
                                          "the model back",
                                          in_quotes(*archive)));
  }
  DiffOptions options;
  options.rank = arguments.rank;
  session.begin("comparing", in_quotes(given[1]), options);
  const Result<DiffReport> report = diff(given[0], given[1], options);
  if (!report.has_value()) return std::unexpected(report.error());
  const int code = report->identical() ? 0 : kDifferent;
  if (arguments.json) return Report{.json = json(*report, session), .code = code};
  std::string text = compared_text(*report, arguments) + uncompared_text(*report) +
                     files_text(*report) + summary(*report);
  return Report{.text = std::move(text), .code = code};
}

}  // namespace

constinit const Verb kDiff{
    .name = "diff",
    .usage = "BASE FINE_TUNE",
    .summary = "show what a fine-tune changed, tensor by tensor",
    .description =
        "Compares two models bit by bit and as numbers: tensors by name, other files by\n"
        "path. STEPS is a chart of how far numbers moved: not at all, to the next number\n"
        "of their type, 2 to 3, 4 to 7 numbers on, and so forth. With --json, everything.\n"
        "Writes nothing. Exits with 0 where nothing differs and with 3 otherwise.\n",
    .examples =
        "  finedelta diff meta-llama/Llama-3.1-8B ./my-tune\n"
        "  finedelta diff --rank ./base ./my-tune\n"
        "  finedelta diff --json old.safetensors new.safetensors\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
