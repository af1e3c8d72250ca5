#include "finedelta/lora.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "engine/input_stamps.h"
#include "engine/output_apart.h"
#include "engine/resources.h"
#include "finedelta/pack.h"
#include "kernels/cast.h"
#include "lora/fitting.h"
#include "lora/measure.h"
#include "lora/notes.h"
#include "lora/output.h"
#include "lora/survey.h"
#include "lora/write_adapter.h"

namespace finedelta {

namespace {

using peft::AdapterLayout;
using peft::Change;
using peft::Ranks;
using peft::Survey;
using peft::TensorPair;

constexpr std::string_view kResidual = "residual.fd";
constexpr uint64_t kCopyBytes = uint64_t{1} << 20;

// The options with exactly one budget.
Result<LoraOptions> with_budget(LoraOptions options) {
  const int given = (options.size ? 1 : 0) + (options.energy ? 1 : 0) + (options.max_rank ? 1 : 0);
  if (given > 1) {
    return fail(ErrorCode::kUsage, "--size, --energy and --max-rank: only one of them is possible");
  }
  if (options.energy && !(*options.energy > 0 && *options.energy < 1)) {
    return fail(ErrorCode::kUsage, "--energy {} is not above 0 and below 1", *options.energy);
  }
  if (options.max_rank && *options.max_rank == 0) {
    return fail(ErrorCode::kUsage, "--max-rank 0: the least rank is 1");
  }
  if (given == 0) options.max_rank = kDefaultLoraRank;
  return options;
}

// A path stays as it was given; a name loses its revision, which has a place of its own.
peft::BaseModel base_model(const std::string& given, const Checkpoint& base) {
  peft::BaseModel model{.name = given, .revision = {}, .facts = {}};
  const size_t at = given.find('@');
  if (at != std::string::npos && given.substr(0, at) == base.model.name) {
    model.name = base.model.name;
    model.revision = given.substr(at + 1);
  }
  return model;
}

Result<peft::ModelFacts> facts_of(const Checkpoint& base) {
  const Entry* const entry = base.find(peft::kModelConfig);
  if (entry == nullptr || entry->kind != EntryKind::kSideFile) return peft::ModelFacts{};
  FINEDELTA_ASSIGN(const std::string text,
                   read_small_file(entry->source, peft::kLargestModelConfig));
  return peft::read_model_facts(text);
}

Status copy_tensor(const TensorPair& pair, const OutputFile& out, uint64_t offset) {
  std::vector<std::byte> buffer(std::min(kCopyBytes, pair.bytes()));
  for (uint64_t at = 0; at < pair.bytes(); at += kCopyBytes) {
    const auto piece = std::span(buffer).first(std::min(kCopyBytes, pair.bytes() - at));
    FINEDELTA_CHECK(pair.shard->read(*pair.tensor, at, piece));
    FINEDELTA_CHECK(out.write(offset + at, piece));
  }
  return {};
}

// What is known of a tensor that has no factors; nothing where the two can't be compared.
Result<std::optional<Change>> change_of(const TensorPair& pair) {
  if (pair.base == nullptr || pair.base->shape != pair.tensor->shape || pair.bytes() == 0 ||
      !is_castable(pair.tensor->dtype) || !is_castable(pair.base->dtype)) {
    return std::nullopt;
  }
  MatrixReader reader = pair.reader();
  FINEDELTA_ASSIGN(const Change change, peft::measure(reader.pair(), {}));
  return change;
}

LoraTensor describe(const TensorPair& pair) {
  return {.name = pair.tensor->name,
          .module = pair.module,
          .dtype = std::string(dtype_name(pair.tensor->dtype)),
          .shape = pair.tensor->shape};
}

// One run, from the survey to the files.
class Maker {
 public:
  Maker(const Survey& survey, const LoraOptions& options, const AtomicDirectory& directory)
      : survey_(survey),
        options_(options),
        directory_(directory),
        progress_(options.progress, 2 * matrix_bytes(survey)) {}

  Result<LoraReport> run(const peft::BaseModel& base) {
    FINEDELTA_ASSIGN(peft::Spool spool, peft::Spool::create(directory_.path()));
    peft::Fitting fitting(survey_, options_, spool, progress_);
    FINEDELTA_ASSIGN(const Ranks ranks, fitting.run());
    if (std::ranges::all_of(ranks, [](size_t rank) { return rank == 0; }) &&
        survey_.whole.empty()) {
      return fail(ErrorCode::kUsage, "there is nothing to make an adapter of: {}",
                  survey_.left_out.empty() ? "the fine-tune's tensors equal the base's"
                                           : "none of what differs can be in an adapter");
    }
    FINEDELTA_CHECK(write_weights(fitting, ranks));
    FINEDELTA_CHECK(peft::write_config(directory_, survey_.adapter, ranks, base));
    FINEDELTA_CHECK(describe_exceptions(survey_.whole, "whole"));
    FINEDELTA_CHECK(describe_exceptions(survey_.left_out, "left out"));
    peft::count_modules(survey_.adapter, ranks, report_);
    peft::note_tie(survey_.adapter, ranks, options_.note);
    report_.left_out = survey_.left_out.size();
    for (auto& [place, tensor] : tensors_) report_.tensors.push_back(std::move(tensor));
    return std::move(report_);
  }

 private:
  static uint64_t matrix_bytes(const Survey& survey) {
    uint64_t total = 0;
    for (const TensorPair& pair : survey.matrices) total += pair.bytes();
    return total;
  }

  Status write_weights(const peft::Fitting& fitting, const Ranks& ranks) {
    const AdapterLayout layout = peft::lay_out(survey_.adapter, ranks);
    FINEDELTA_ASSIGN(const OutputFile out, directory_.create_file(peft::kWeightsFile, false));
    FINEDELTA_CHECK(out.allocate(layout.size));
    FINEDELTA_CHECK(peft::write_header(out, layout));
    for (size_t i = 0; i < survey_.whole.size(); ++i) {
      FINEDELTA_CHECK(copy_tensor(survey_.whole[i].pair, out, layout.whole[i]));
    }
    FINEDELTA_CHECK(write_matrices(fitting, ranks, layout, out));
    report_.adapter_bytes = layout.size;
    return out.sync();
  }

  Status write_matrices(const peft::Fitting& fitting, const Ranks& ranks,
                        const AdapterLayout& layout, const OutputFile& out) {
    uint64_t most = 1;
    for (size_t i = 0; i < ranks.size(); ++i) {
      const peft::AdapterModule& module = survey_.adapter.modules[i];
      most = std::max(most, peft::worker_bytes(module.rows, module.columns, ranks[i]));
    }
    const unsigned workers = affordable_workers(options_, most, 0);
    double gained = 0;
    double left = 0;
    FINEDELTA_CHECK(parallel_ordered(
        ranks.size(), workers, workers, options_.cancel,
        [&](uint64_t i, unsigned) -> Result<Change> {
          FINEDELTA_ASSIGN(peft::MatrixFactors factors, fitting.read(i, ranks[i]));
          FINEDELTA_CHECK(peft::write_factors(out, survey_.adapter, layout, i, factors));
          MatrixReader reader = survey_.matrices[i].reader();
          return peft::measure(reader.pair(), factors);
        },
        [&](uint64_t i, const Change& change) -> Status {
          progress_.add(survey_.matrices[i].bytes());
          gained += change.gained;
          left += change.left;
          if (change.gained == 0) return {};
          LoraTensor tensor = describe(survey_.matrices[i]);
          tensor.stored = "factors";
          tensor.rank = ranks[i];
          tensor.relative_change = change.relative();
          tensor.relative_error = change.error();
          add(survey_.matrices[i], std::move(tensor));
          return {};
        }));
    if (gained > 0) report_.energy_kept = 1 - left / gained;
    return {};
  }

  Status describe_exceptions(const std::vector<peft::Exception>& exceptions,
                             std::string_view stored) {
    for (const peft::Exception& exception : exceptions) {
      LoraTensor tensor = describe(exception.pair);
      tensor.stored = stored;
      tensor.reason = exception.reason;
      FINEDELTA_ASSIGN(const std::optional<Change> change, change_of(exception.pair));
      if (change) tensor.relative_change = change->relative();
      add(exception.pair, std::move(tensor));
    }
    return {};
  }

  void add(const TensorPair& pair, LoraTensor tensor) {
    tensors_.emplace(pair.place, std::move(tensor));
  }

  const Survey& survey_;
  const LoraOptions& options_;
  const AtomicDirectory& directory_;
  ProgressMeter progress_;
  LoraReport report_;
  std::map<size_t, LoraTensor> tensors_;  // by their place in the fine-tune
};

Result<uint64_t> pack_residual(const std::string& base, const std::string& fine_tune,
                               const AtomicDirectory& directory, const LoraOptions& options) {
  PackOptions pack_options;
  pack_options.threads = options.threads;
  pack_options.memory = options.memory;
  pack_options.progress = options.progress;
  pack_options.note = options.note;
  pack_options.cancel = options.cancel;
  pack_options.level = kSmallestLevel;
  const std::string archive = directory.path() + '/' + std::string(kResidual);
  FINEDELTA_ASSIGN(const PackReport report, pack({base}, fine_tune, archive, pack_options));
  return report.archive_bytes;
}

}  // namespace

Result<LoraReport> lora(const std::string& base, const std::string& fine_tune,
                        const std::string& output, const LoraOptions& options) {
  return guarded([&]() -> Result<LoraReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const LoraOptions budgeted, with_budget(options));
    FINEDELTA_ASSIGN(const Inputs inputs, open_inputs({base}, fine_tune, false, options));
    FINEDELTA_CHECK(
        check_output_apart(output, {inputs.bases[0].location, inputs.fine_tune.location}));
    FINEDELTA_ASSIGN(const InputStamps stamps, InputStamps::take(inputs));
    FINEDELTA_ASSIGN(AtomicDirectory directory, AtomicDirectory::create(output, options.force));
    peft::BaseModel model = base_model(base, inputs.bases[0]);
    FINEDELTA_ASSIGN(model.facts, facts_of(inputs.bases[0]));
    FINEDELTA_ASSIGN(const Survey survey, peft::survey(inputs, model.facts, options));
    FINEDELTA_ASSIGN(LoraReport report, Maker(survey, budgeted, directory).run(model));
    FINEDELTA_CHECK(stamps.check(inputs, {}));
    if (options.plus_residual) {
      FINEDELTA_ASSIGN(report.residual_bytes, pack_residual(base, fine_tune, directory, options));
    }
    FINEDELTA_CHECK(directory.publish());
    peft::note_losses(report, options.note);
    return report;
  });
}

}  // namespace finedelta
