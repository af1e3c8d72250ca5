#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "finedelta/inspect.h"
#include "json.h"
#include "render/table.h"
#include "render/tensor_text.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr std::array kOptions{kThreadsOption, kMemoryOption, kJsonOption, kQuietOption};

Json base_json(const BaseSummary& base) {
  return {{"name", text_json(base.name)},
          {"revision", text_json(base.revision)},
          {"identity", base.identity},
          {"tensors", base.tensors}};
}

Json file_json(const FileSummary& file) {
  return {{"path", file.path},
          {"kind", file.kind},
          {"executable", file.executable},
          {"bytes", file.bytes},
          {"sha256", text_json(file.sha256)},
          {"original_sha256", text_json(file.original_sha256)},
          {"first_layer_sha256", text_json(file.first_layer_sha256)},
          {"metadata", file.metadata.empty() ? Json(nullptr) : Json::parse(file.metadata)}};
}

Json error_json(const std::optional<TensorError>& error) {
  if (!error) return nullptr;
  return {{"relative_error", error->relative_error},
          {"largest_error", error->largest_error},
          {"cosine", error->cosine},
          {"energy_kept", error->energy_kept},
          {"sign_agreement", error->sign_agreement},
          {"zeros", error->zeros}};
}

Json tensor_json(const TensorSummary& tensor) {
  Json object{{"name", tensor.name},   {"shard", tensor.shard}, {"dtype", tensor.dtype},
              {"shape", tensor.shape}, {"bytes", tensor.bytes}, {"elements", tensor.elements},
              {"match", tensor.match}};
  add_bases(object, bases_of(tensor));
  object["predictor"] = tensor.predictor;
  object["factors"] = tensor.factors;
  object["rank"] = tensor.rank;
  object["coders"] = Json::array();
  for (const CoderUse& use : tensor.coders) {
    object["coders"].push_back({{"coder", use.coder}, {"chunks", use.chunks}});
  }
  object["stored_bytes"] = tensor.stored_bytes;
  object["second_layer_bytes"] = tensor.second_layer_bytes;
  object["bits_per_weight"] = ratio_json(8 * tensor.stored_bytes, tensor.elements);
  object["error"] = error_json(tensor.error);
  return object;
}

std::string json(const ArchiveSummary& summary, std::string_view archive) {
  Json object{{"archive", archive},
              {"format_version", summary.format_version},
              {"single_file", summary.single_file},
              {"lossy", summary.lossy},
              {"progressive", summary.progressive},
              {"second_layer_bytes", summary.second_layer_bytes},
              {"archive_bytes", summary.archive_bytes},
              {"payload_bytes", summary.payload_bytes},
              {"side_bytes", summary.side_bytes},
              {"index_bytes", summary.index_bytes},
              {"input_bytes", summary.input_bytes},
              {"weight_bytes", summary.weight_bytes},
              {"ratio", ratio_json(summary.input_bytes, summary.archive_bytes)},
              {"bases", Json::array()},
              {"files", Json::array()},
              {"tensors", Json::array()}};
  for (const auto& base : summary.bases) object["bases"].push_back(base_json(base));
  for (const auto& file : summary.files) object["files"].push_back(file_json(file));
  for (const auto& tensor : summary.tensors) object["tensors"].push_back(tensor_json(tensor));
  return dump(object);
}

std::string base_line(const BaseSummary& base) {
  std::string name = base.name.empty() ? "(no name recorded)" : base.name;
  if (!base.revision.empty()) name += "@" + base.revision;
  return fmt::format("{}, {} used, identity {}", escaped(name), count_text(base.tensors, "tensor"),
                     escaped(base.identity));
}

// The errors are of the deltas, as that is what the archive stores.
std::string loss_text(const ArchiveSummary& summary) {
  std::vector<double> errors;
  for (const TensorSummary& tensor : summary.tensors) {
    if (tensor.error) errors.push_back(tensor.error->relative_error);
  }
  std::ranges::sort(errors);
  return fmt::format("{} of {} inexact; relative error of the delta: median {:.3f}, largest {:.3f}",
                     errors.size(), count_text(summary.tensors.size(), "tensor"),
                     errors[errors.size() / 2], errors.back());
}

std::string head(const ArchiveSummary& summary, std::string_view archive) {
  std::string result =
      fmt::format("archive   {}, format version {}\n", escaped(archive), summary.format_version);
  if (summary.bases.empty()) result += "base      none\n";
  for (size_t base = 0; base < summary.bases.size(); ++base) {
    result += fmt::format("{:<9} {}\n", base_label(base, summary.bases.size()),
                          base_line(summary.bases[base]));
  }
  result += fmt::format("original  {}, of which {} weights\n", size_text(summary.input_bytes),
                        size_text(summary.weight_bytes));
  result += fmt::format(
      "stored    {} ({}): weights {}, side files {}, index {}\n", size_text(summary.archive_bytes),
      ratio_text(summary.input_bytes, summary.archive_bytes), size_text(summary.payload_bytes),
      size_text(summary.side_bytes), size_text(summary.index_bytes));
  if (summary.lossy) result += fmt::format("LOSSY     {}\n", loss_text(summary));
  if (summary.progressive) {
    result += fmt::format("layer 1   LOSSY: {}\nlayer 2   {}: makes it exact\n", loss_text(summary),
                          size_text(summary.second_layer_bytes));
  }
  return result;
}

std::string files_text(const ArchiveSummary& summary) {
  Table table({{"FILE"}, {"KIND"}, {"SIZE", Align::kRight}});
  for (const FileSummary& file : summary.files) {
    table.add({file.path, file.kind, file.kind == "directory" ? "" : size_text(file.bytes)});
  }
  return table.text();
}

// "planes", or with the number of chunks of each where there are several.
std::string coders_text(const std::vector<CoderUse>& coders) {
  if (coders.size() == 1) return coders[0].coder;
  std::string result;
  for (const CoderUse& use : coders) {
    if (!result.empty()) result += ", ";
    result += fmt::format("{} {}", use.coder, use.chunks);
  }
  return result;
}

std::string tensors_text(const ArchiveSummary& summary) {
  Table table({{"TENSOR"},
               {"DTYPE"},
               {"SHAPE"},
               {"MATCH"},
               {"PREDICTOR"},
               {"CODER"},
               {"STORED", Align::kRight},
               {"BITS/WEIGHT", Align::kRight}});
  for (const TensorSummary& tensor : summary.tensors) {
    table.add({tensor.name, tensor.dtype, shape_text(tensor.shape),
               match_text(tensor.match, bases_of(tensor), tensor.name, summary.bases.size()),
               tensor.predictor, coders_text(tensor.coders), size_text(tensor.stored_bytes),
               bits_per_weight_text(tensor.stored_bytes, tensor.elements)});
  }
  return table.text();
}

std::string losses_text(const ArchiveSummary& summary) {
  Table table({{"LOSSY TENSOR"},
               {"RANK", Align::kRight},
               {"BITS/WEIGHT", Align::kRight},
               {"RELATIVE ERROR", Align::kRight},
               {"LARGEST", Align::kRight},
               {"COSINE", Align::kRight},
               {"ENERGY", Align::kRight},
               {"SIGNS", Align::kRight},
               {"ZEROS", Align::kRight}});
  for (const TensorSummary& tensor : summary.tensors) {
    if (!tensor.error) continue;
    const TensorError& error = *tensor.error;
    table.add(
        {tensor.name, fmt::to_string(tensor.rank),
         bits_per_weight_text(tensor.stored_bytes - tensor.second_layer_bytes, tensor.elements),
         fmt::format("{:.3f}", error.relative_error), fmt::format("{:.2g}", error.largest_error),
         fmt::format("{:.3f}", error.cosine), fmt::format("{:.1f} %", 100 * error.energy_kept),
         fmt::format("{:.1f} %", 100 * error.sign_agreement),
         fmt::format("{:.1f} %", 100 * error.zeros)});
  }
  return table.text();
}

Result<Report> run(const Arguments& arguments, Session&) {
  const std::vector<std::string>& given = arguments.positionals;
  if (given.size() != 1) return usage_error(kInspect, "name one archive");
  Options options;
  options.memory = arguments.memory;
  const Result<ArchiveSummary> summary = inspect(given[0], options);
  if (!summary.has_value()) return std::unexpected(summary.error());
  std::string text =
      head(*summary, given[0]) + "\n" + files_text(*summary) + "\n" + tensors_text(*summary);
  if (summary->lossy || summary->progressive) text += "\n" + losses_text(*summary);
  return Report{json(*summary, given[0]), std::move(text), ""};
}

}  // namespace

constinit const Verb kInspect{
    .name = "inspect",
    .usage = "ARCHIVE",
    .summary = "show what an archive holds",
    .description =
        "Shows base, sizes and ratio of ARCHIVE, its files, and for every tensor the\n"
        "match, predictor, coder and bits per weight; of a lossy archive, also the errors\n"
        "of every tensor. Reads and checks the index; no base is needed.\n",
    .examples =
        "  finedelta inspect my-tune.fd\n"
        "  finedelta inspect --json my-tune.fd\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
