#include "report.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/target.h"
#include "render/table.h"

namespace finedelta::bench {

namespace {

constexpr std::string_view kCaption =
    "One thread's CPU time, in memory. Speeds are of the fine-tune's bytes, medians of rounds in "
    "which all "
    "coders take turns; \"/ BitX\" is the speed over BitX's in the same round. finedelta's times "
    "hold its hashes (XXH3-64 of what is stored, XXH3-128 of the result, made and checked); the "
    "others have none. Extra: the most memory besides base, fine-tune, what is stored and the "
    "result.";

const std::vector<cli::Column>& columns() {
  using enum cli::Align;
  static const std::vector<cli::Column> columns = {
      {"coder", kLeft},          {"bits/weight", kRight}, {"ratio", kRight},
      {"encode GB/s", kRight},   {"decode GB/s", kRight}, {"encode / BitX", kRight},
      {"decode / BitX", kRight}, {"extra MiB", kRight},   {"exact", kLeft}};
  return columns;
}

double gigabytes_per_second(uint64_t bytes, const std::vector<double>& seconds) {
  return static_cast<double>(bytes) / median(seconds) / 1e9;
}

std::optional<double> relative(const std::vector<double>* reference,
                               const std::vector<double>& seconds) {
  if (reference == nullptr) return std::nullopt;
  std::vector<double> ratios;
  ratios.reserve(seconds.size());
  for (size_t i = 0; i < seconds.size(); ++i) ratios.push_back((*reference)[i] / seconds[i]);
  return median(std::move(ratios));
}

std::optional<double> mebibytes(std::optional<uint64_t> bytes) {
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes) / (1 << 20);
}

std::string number(std::optional<double> value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

std::string exactness(const Measurement& measurement) {
  if (measurement.exact) return "yes";
  return measurement.error.empty() ? "NO" : "NO: " + measurement.error;
}

std::vector<std::string> cells(const Report& report, const Measurement& measurement) {
  const Figures figures = figures_of(report, measurement);
  const bool yardstick = measurement.yardstick;
  const auto coded = [&](std::optional<double> value, int digits) {
    return yardstick ? "-" : number(value, digits);
  };
  return {measurement.name,
          coded(figures.bits_per_weight, 3),
          coded(figures.ratio, 3),
          coded(figures.encode_gbs, 3),
          number(figures.decode_gbs, 3),
          coded(figures.encode_relative, 2),
          number(figures.decode_relative, 2),
          coded(mebibytes(measurement.extra_bytes), 1),
          exactness(measurement)};
}

std::string counted(size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string summary(const Report& report) {
  return fmt::format("{}: {:.1f} MB, {:.2f} M weights, {}, {}, kernels {}, zstd {}", report.pair,
                     static_cast<double>(report.bytes) / 1e6,
                     static_cast<double>(report.weights) / 1e6,
                     counted(report.copies, "copy", "copies"),
                     counted(static_cast<size_t>(report.rounds), "round", "rounds"),
                     active_target(), ZSTD_versionString());
}

}  // namespace

Figures figures_of(const Report& report, const Measurement& measurement) {
  const auto reference =
      std::ranges::find(report.measurements, kReferenceCodec, &Measurement::name);
  const bool found = reference != report.measurements.end();
  const double stored = static_cast<double>(measurement.stored);
  return {.bits_per_weight = 8 * stored / static_cast<double>(report.weights),
          .ratio = static_cast<double>(report.bytes) / stored,
          .encode_gbs = gigabytes_per_second(report.bytes, measurement.encode_seconds),
          .decode_gbs = gigabytes_per_second(report.bytes, measurement.decode_seconds),
          .encode_relative =
              relative(found ? &reference->encode_seconds : nullptr, measurement.encode_seconds),
          .decode_relative =
              relative(found ? &reference->decode_seconds : nullptr, measurement.decode_seconds)};
}

std::string as_text(const Report& report) {
  cli::Table table(columns());
  for (const Measurement& measurement : report.measurements) {
    table.add(cells(report, measurement));
  }
  return fmt::format("{}\n\n{}\n{}\n", summary(report), table.text(), kCaption);
}

std::string as_markdown(const Report& report) {
  std::string titles, rules, rows;
  for (const cli::Column& column : columns()) {
    titles += "| " + column.title + " ";
    rules += column.align == cli::Align::kLeft ? "|---" : "|---:";
  }
  for (const Measurement& measurement : report.measurements) {
    rows += fmt::format("| {} |\n", fmt::join(cells(report, measurement), " | "));
  }
  return fmt::format("{}\n\n{}|\n{}|\n{}\n{}\n", summary(report), titles, rules, rows, kCaption);
}

std::string as_json(const Report& report) {
  nlohmann::ordered_json codecs = nlohmann::ordered_json::array();
  for (const Measurement& measurement : report.measurements) {
    const Figures figures = figures_of(report, measurement);
    codecs.push_back({{"coder", measurement.name},
                      {"yardstick", measurement.yardstick},
                      {"stored_bytes", measurement.stored},
                      {"bits_per_weight", figures.bits_per_weight},
                      {"ratio", figures.ratio},
                      {"encode_gbs", figures.encode_gbs},
                      {"decode_gbs", figures.decode_gbs},
                      {"encode_seconds", measurement.encode_seconds},
                      {"decode_seconds", measurement.decode_seconds},
                      {"exact", measurement.exact}});
    if (measurement.extra_bytes) codecs.back()["extra_bytes"] = *measurement.extra_bytes;
  }
  const nlohmann::ordered_json json = {{"pair", report.pair},       {"bytes", report.bytes},
                                       {"weights", report.weights}, {"copies", report.copies},
                                       {"rounds", report.rounds},   {"kernels", active_target()},
                                       {"coders", codecs}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace finedelta::bench
