#include <cmath>
#include <set>

#include "archive/archive.h"
#include "base/error.h"
#include "base/guard.h"
#include "engine/output_apart.h"
#include "engine/rebuild.h"
#include "engine/resources.h"
#include "finedelta/lora.h"
#include "lora/notes.h"
#include "lora/output.h"
#include "lora/pairing.h"
#include "lora/write_adapter.h"
#include "predict/low_rank/factors.h"

namespace finedelta {

namespace {

using peft::Adapter;
using peft::MatrixFactors;
using peft::Ranks;

// A small config.json is in the archive itself.
Result<peft::ModelFacts> facts_of(const archive::Archive& archive, const Options& options) {
  std::string text;
  for (const archive::File& file : archive.index.files) {
    if (file.path != peft::kModelConfig || file.kind != archive::FileKind::kEmbedded) continue;
    text.resize(file.size);
    FINEDELTA_ASSIGN(const BaseSet no_bases, BaseSet::open(archive, {}, options));
    const ProgressCallback silent;
    ProgressMeter progress(silent, 0);
    const auto write = [&text](uint64_t offset, Bytes bytes) -> Status {
      as_text(bytes).copy(text.data() + offset, bytes.size());
      return {};
    };
    FINEDELTA_CHECK(
        Rebuilder(archive, no_bases, options, progress).rebuild(file, {.write = write}));
  }
  return peft::read_model_facts(text);
}

// The product's scale is shared by both sides.
MatrixFactors as_numbers(const Factors& factors) {
  MatrixFactors numbers{.rank = factors.rank(),
                        .left = {factors.left.begin(), factors.left.end()},
                        .right = {factors.right.begin(), factors.right.end()}};
  for (size_t k = 0; k < factors.rank(); ++k) {
    const float root = std::sqrt(std::ldexp(factors.scale, factors.shifts[k]));
    const auto scale = [&](std::vector<float>& side, uint64_t length) {
      for (float& value : std::span(side).subspan(k * length, length)) value *= root;
    };
    scale(numbers.left, factors.rows);
    scale(numbers.right, factors.columns);
  }
  return numbers;
}

class ArchiveMaker {
 public:
  ArchiveMaker(const archive::Archive& archive, const peft::ModelFacts& facts,
               const Options& options)
      : archive_(archive), facts_(facts), options_(options) {}

  // Looks for factors; none is kUsage.
  Status find() {
    bool has_output_layer = false;
    for (const archive::File& file : archive_.index.files) {
      for (const archive::Tensor& tensor : file.tensors) {
        std::string module;
        std::string leaf;
        peft::name_parts(tensor.name, module, leaf);
        has_output_layer |= peft::is_output_layer(module);
      }
    }
    is_tied_ = peft::ties_output(facts_, has_output_layer);
    for (const archive::File& file : archive_.index.files) {
      for (const archive::Tensor& tensor : file.tensors) FINEDELTA_CHECK(take(tensor));
    }
    FINEDELTA_CHECK(peft::check_names(adapter_));
    if (!tensors_.empty()) return {};
    return fail(ErrorCode::kUsage,
                "{} holds no factors of low rank that an adapter can have; make one of the base "
                "and the fine-tune",
                quote(archive_.file.path()));
  }

  Result<LoraReport> write(const AtomicDirectory& directory) {
    const peft::AdapterLayout layout = peft::lay_out(adapter_, ranks_);
    FINEDELTA_ASSIGN(const OutputFile out, directory.create_file(peft::kWeightsFile, false));
    FINEDELTA_CHECK(out.allocate(layout.size));
    FINEDELTA_CHECK(peft::write_header(out, layout));
    for (size_t i = 0; i < tensors_.size(); ++i) {
      FINEDELTA_ASSIGN(const Factors factors, read(*tensors_[i]));
      MatrixFactors numbers = as_numbers(factors);
      FINEDELTA_CHECK(peft::write_factors(out, adapter_, layout, i, numbers));
    }
    FINEDELTA_CHECK(out.sync());
    const archive::Base& base = archive_.index.bases[base_of(*tensors_[0])];
    FINEDELTA_CHECK(
        peft::write_config(directory, adapter_, ranks_,
                           {.name = base.name, .revision = base.revision, .facts = facts_}));
    peft::note_tie(adapter_, ranks_, options_.note);
    report_.adapter_bytes = layout.size;
    peft::count_modules(adapter_, ranks_, report_);
    return std::move(report_);
  }

 private:
  [[nodiscard]] const archive::BaseTensor& base_tensor(const archive::Tensor& tensor) const {
    return archive_.index.base_tensors[tensor.prediction.bases()[0]];
  }
  [[nodiscard]] uint32_t base_of(const archive::Tensor& tensor) const {
    return base_tensor(tensor).base;
  }

  Result<Factors> read(const archive::Tensor& tensor) const {
    if (options_.cancel != nullptr && options_.cancel->cancelled()) {
      return fail(ErrorCode::kCancelled, "cancelled");
    }
    std::vector<std::byte> record;
    FINEDELTA_CHECK(archive_.read_factors(tensor.factors, record));
    // As integers, as numbers, rounded, and transposed.
    constexpr uint64_t kBytesOfValue = 16;
    FINEDELTA_ASSIGN(Factors factors, decode_factors(record, options_.memory / kBytesOfValue));
    if (factors.columns == tensor.shape[1] && factors.rows <= tensor.shape[0]) return factors;
    return fail(ErrorCode::kDamaged, "low-rank factors: of a matrix of another shape");
  }

  Status take(const archive::Tensor& tensor) {
    if (tensor.prediction.formula.predictor != Predictor::kLowRank) return {};
    LoraTensor described{.name = tensor.name,
                         .module = {},
                         .dtype = std::string(dtype_name(tensor.dtype)),
                         .shape = tensor.shape};
    std::string leaf;
    const std::string& name = peft::longer_name(tensor.name, base_tensor(tensor).name);
    peft::name_parts(name, described.module, leaf);
    described.reason = why_not(tensor, described.module, leaf);
    if (described.reason.empty()) {
      FINEDELTA_ASSIGN(const Factors factors, read(tensor));
      described.rank = factors.rank();
      if (factors.rows < tensor.shape[0]) described.reason = "its factors leave out rows";
    }
    if (described.reason.empty()) {
      described.stored = "factors";
      add(tensor, described.module, described.rank);
    } else {
      described.stored = "left out";
      ++report_.left_out;
    }
    report_.tensors.push_back(std::move(described));
    return {};
  }

  [[nodiscard]] std::string why_not(const archive::Tensor& tensor, const std::string& module,
                                    const std::string& leaf) const {
    if (module.empty() || leaf != "weight" || tensor.shape.size() != 2) {
      return "not the matrix of a layer";
    }
    if (tensor.shape != base_tensor(tensor).shape) return std::string(peft::kResized);
    if (is_tied_ && peft::is_output_layer(module)) return "it is tied to the input embedding";
    if (modules_.contains(module)) return std::string(peft::kRepeated);
    if (!tensors_.empty() && base_of(tensor) != base_of(*tensors_[0])) return "of another base";
    return {};
  }

  void add(const archive::Tensor& tensor, const std::string& module, size_t rank) {
    adapter_.modules.push_back({.name = module,
                                .kind = peft::kind_of(module, facts_),
                                .dtype = tensor.dtype,
                                .rows = tensor.shape[0],
                                .columns = tensor.shape[1],
                                .tied = peft::tied_to(module, is_tied_ && !has_tied_)});
    has_tied_ |= !adapter_.modules.back().tied.empty();
    ranks_.push_back(rank);
    tensors_.push_back(&tensor);
    modules_.insert(module);
  }

  const archive::Archive& archive_;
  const peft::ModelFacts& facts_;
  const Options& options_;
  bool is_tied_ = false;
  bool has_tied_ = false;
  Adapter adapter_;
  Ranks ranks_;
  std::vector<const archive::Tensor*> tensors_;  // of the modules
  std::set<std::string> modules_;                // their names
  LoraReport report_;
};

}  // namespace

Result<LoraReport> lora_from_archive(const std::string& archive, const std::string& output,
                                     const LoraFromArchiveOptions& options) {
  return guarded([&]() -> Result<LoraReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const archive::Archive opened,
                     archive::Archive::open(archive, options.memory));
    FINEDELTA_CHECK(check_output_apart(output, {archive}));
    FINEDELTA_ASSIGN(const peft::ModelFacts facts, facts_of(opened, options));
    ArchiveMaker maker(opened, facts, options);
    FINEDELTA_CHECK(maker.find());
    FINEDELTA_ASSIGN(AtomicDirectory directory, AtomicDirectory::create(output, options.force));
    FINEDELTA_ASSIGN(LoraReport report, maker.write(directory));
    FINEDELTA_CHECK(directory.publish());
    if (options.note) {
      options.note(
          "the adapter holds the archive's factors alone: what its residuals add is missing, and "
          "only 'finedelta unpack' gives all of the fine-tune");
    }
    return report;
  });
}

}  // namespace finedelta
