// finedelta-bench: coders beside each other, in one process and one table. See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec.h"
#include "kernels/target.h"
#include "measure.h"
#include "pair.h"
#include "render/units.h"
#include "report.h"
#include "synthetic.h"

namespace finedelta::bench {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string synthetic, name, write, json, repeat_to;
  std::vector<std::string> coders;
  int rounds = 5;
  bool markdown = false;
};

std::string codec_list() {
  std::string list = "Coders:\n";
  for (const CodecEntry& codec : all_codecs()) {
    list += fmt::format("  {:<20} {}{}\n", codec.name, codec.what,
                        codec.usual ? "" : " (only if named)");
  }
  return list;
}

void declare(CLI::App& app, Options& options) {
  app.description("Measures coders on a base and a fine-tune, in memory, with one thread.");
  app.footer(codec_list() + "\nExit status: 0 done; 1 failure, or a coder was not exact; 2 usage.");
  app.add_option("models", options.models,
                 "BASE and FINE_TUNE: .safetensors files, directories or cached models")
      ->expected(2);
  app.add_option(
      "--synthetic", options.synthetic,
      "a made-up pair instead: bf16|fp16|fp32:KEY=VALUE,... with the keys step, n, rows, "
      "cols, sparse (share changed), lora (rank), vocab (rows added), seed");
  app.add_option("--name", options.name, "what the pair is called in the output");
  app.add_option("--repeat-to", options.repeat_to,
                 "repeat the models until the fine-tunes have so many bytes (64MB)");
  app.add_option("--coders", options.coders, "only these, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--rounds", options.rounds, "how often every coder runs (5)")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--markdown", options.markdown, "print a Markdown table");
  app.add_option("--json", options.json,
                 "write the measurements to this file too; - prints them instead of the table");
  app.add_option("--write", options.write,
                 "write the pair to base.safetensors and fine-tune.safetensors in this directory, "
                 "and measure nothing");
}

Result<Pair> open_pair(const Options& options) {
  if (options.synthetic.empty() != (options.models.size() == 2)) {
    return fail(ErrorCode::kUsage, "name either BASE and FINE_TUNE or --synthetic");
  }
  if (!options.synthetic.empty()) {
    FINEDELTA_ASSIGN(const SyntheticSpec spec, parse_synthetic(options.synthetic));
    return make_synthetic(spec);
  }
  FINEDELTA_ASSIGN(Model base, load_model(options.models[0]));
  FINEDELTA_ASSIGN(Model fine_tune, load_model(options.models[1]));
  return Pair{std::move(base), std::move(fine_tune)};
}

std::string pair_name(const Options& options) {
  if (!options.name.empty()) return options.name;
  if (!options.synthetic.empty()) return options.synthetic;
  return options.models[0] + " -> " + options.models[1];
}

Result<std::vector<CodecEntry>> chosen_codecs(const Options& options) {
  std::vector<CodecEntry> all = all_codecs();
  if (options.coders.empty()) {
    std::erase_if(all, [](const CodecEntry& codec) { return !codec.usual; });
    return all;
  }
  std::vector<CodecEntry> chosen;
  for (const std::string& name : options.coders) {
    const auto found = std::ranges::find(all, name, &CodecEntry::name);
    if (found == all.end()) return fail(ErrorCode::kUsage, "there is no coder {}", quote(name));
    chosen.push_back(*found);
  }
  return chosen;
}

Status print(const Options& options, const Report& report) {
  if (options.json == "-") {
    fmt::print("{}", as_json(report));
    return {};
  }
  fmt::print("{}", options.markdown ? as_markdown(report) : as_text(report));
  if (options.json.empty()) return {};
  std::ofstream file(options.json);
  file << as_json(report);
  file.close();
  if (!file) return fail(ErrorCode::kFailure, "cannot write {}", quote(options.json));
  return {};
}

Status run(const Options& options) {
  FINEDELTA_CHECK(apply_forced_target());
  FINEDELTA_ASSIGN(const std::vector<CodecEntry> codecs, chosen_codecs(options));
  const auto least = cli::parse_size(options.repeat_to.empty() ? "0" : options.repeat_to);
  if (!least) return fail(ErrorCode::kUsage, "{} is no size", quote(options.repeat_to));
  FINEDELTA_ASSIGN(Pair pair, open_pair(options));
  if (!options.write.empty()) return write_pair(options.write, pair);

  const Workload workload = make_workload(pair_name(options), std::move(pair), *least);
  if (workload.weights() == 0) return fail(ErrorCode::kUsage, "the fine-tune has no weights");
  const Report report{workload.name,      workload.bytes(),
                      workload.weights(), workload.copies.size(),
                      options.rounds,     measure(workload, codecs, options.rounds)};
  FINEDELTA_CHECK(print(options, report));
  if (std::ranges::all_of(report.measurements, &Measurement::exact)) return {};
  return fail(ErrorCode::kFailure, "a coder did not give the fine-tune back");
}

}  // namespace
}  // namespace finedelta::bench

int main(int argc, char** argv) {
  CLI::App app;
  finedelta::bench::Options options;
  finedelta::bench::declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const finedelta::Status status = finedelta::bench::run(options);
  if (status) return 0;
  fmt::print(stderr, "finedelta-bench: {}\n", status.error().message);
  return status.error().code == finedelta::ErrorCode::kUsage ? 2 : 1;
}
