#include "finedelta/pack.h"

#include <algorithm>

#include "archive/writer.h"
#include "base/error.h"
#include "base/guard.h"
#include "engine/base_set.h"
#include "engine/file_hashes.h"
#include "engine/input_stamps.h"
#include "engine/lossy_fits.h"
#include "engine/lossy_target.h"
#include "engine/output_apart.h"
#include "engine/pack_plan.h"
#include "engine/pack_rest.h"
#include "engine/pack_side_files.h"
#include "engine/pack_tensors.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

Status check_apart(const Inputs& inputs, const std::string& archive) {
  std::vector<std::string> locations = {inputs.fine_tune.location};
  for (const Checkpoint& base : inputs.bases) locations.push_back(base.location);
  return check_output_apart(archive, locations);
}

PackReport make_report(const Inputs& inputs, const archive::Index& index, uint64_t archive_bytes) {
  PackReport report{.input_bytes = inputs.fine_tune.file_bytes(),
                    .archive_bytes = archive_bytes,
                    .bases = index.bases.size(),
                    .lossy = index.lossy && !index.progressive,
                    .progressive = index.progressive,
                    .second_layer_bytes = index.rest_size};
  for (const archive::File& file : index.files) {
    if (file.kind != archive::FileKind::kEmptyDirectory) ++report.files;
    for (const archive::Tensor& tensor : file.tensors) {
      ++report.tensors;
      report.weight_bytes += tensor.bytes;
      if (tensor.prediction) ++report.matched_tensors;
      if (tensor.error) ++report.lossy_tensors;
    }
  }
  return report;
}

void note_useless_bases(const Inputs& inputs, const PackPlan& plan, const NoteCallback& note) {
  if (!note) return;
  for (uint32_t b = 0; b < inputs.bases.size(); ++b) {
    if (std::ranges::find(plan.bases, b) != plan.bases.end()) continue;
    note(
        fmt::format("base {} is no use: nothing of it helps to store the fine-tune, and the "
                    "archive does not need it",
                    quote(inputs.bases[b].location)));
  }
}

// One run of pack, once its inputs are open.
class Packing {
 public:
  Packing(const Inputs& inputs, const PackOptions& options, archive::Writer writer)
      : inputs_(inputs),
        options_(options),
        writer_(std::move(writer)),
        hashes_(inputs.fine_tune, options.cancel) {}

  Result<PackReport> run(const InputStamps& stamps) {
    FINEDELTA_ASSIGN(const std::vector<Match> matches, match_inputs(inputs_, options_));
    FINEDELTA_ASSIGN(PackPlan plan, make_pack_plan(inputs_, matches, options_));
    note_useless_bases(inputs_, plan, options_.note);
    FINEDELTA_ASSIGN(uint64_t bytes,
                     options_.lossy ? write_lossy(plan, matches) : write(plan, nullptr));
    if (options_.progressive && plan.index.lossy) {
      FINEDELTA_ASSIGN(bytes, add_second_layer(plan));
    }
    FINEDELTA_CHECK(stamps.check(inputs_, plan));
    FINEDELTA_CHECK(writer_.publish());
    return make_report(inputs_, plan.index, bytes);
  }

 private:
  // All of the archive, but it has not appeared yet. Returns its size.
  Result<uint64_t> write(PackPlan& plan, const LossyChoice* lossy) {
    ProgressMeter progress(options_.progress, inputs_.fine_tune.file_bytes());
    FINEDELTA_CHECK(pack_tensors(inputs_, plan, writer_, options_, progress, lossy));
    return finish(plan, progress);
  }

  // All that follows the payload.
  Result<uint64_t> finish(PackPlan& plan, ProgressMeter& progress) {
    writer_.end_payload();
    FINEDELTA_CHECK(pack_side_files(inputs_, plan, writer_, options_, progress));
    if (sha256_.empty()) {
      FINEDELTA_ASSIGN(sha256_, hashes_.finish());
    }
    set_sha256(plan.index);
    return writer_.finish(plan.index, options_.memory);
  }

  // Of a lossy archive that is complete. Returns its new size.
  Result<uint64_t> add_second_layer(PackPlan& plan) {
    FINEDELTA_ASSIGN(const archive::Archive first,
                     archive::Archive::open(writer_.path(), options_.memory));
    FINEDELTA_ASSIGN(BaseSet bases, BaseSet::open(first, locations(plan), options_));
    FINEDELTA_CHECK(bases.require_all_tensors());
    FINEDELTA_CHECK(writer_.reopen_payload());
    plan.index.progressive = true;
    plan.index.chunks.resize(plan.index.tensor_chunks);
    plan.index.prefixes.clear();
    ProgressMeter progress(options_.progress, inputs_.fine_tune.file_bytes());
    FINEDELTA_CHECK(pack_rest(first, bases, inputs_, plan, writer_, options_, progress));
    return finish(plan, progress);
  }

  std::vector<std::string> locations(const PackPlan& plan) const {
    std::vector<std::string> all;
    all.reserve(plan.bases.size());
    for (const uint32_t base : plan.bases) all.push_back(inputs_.bases[base].location);
    return all;
  }

  // Those of lossy shards are there already, of what comes out.
  void set_sha256(archive::Index& index) const {
    for (size_t i = 0; i < sha256_.size(); ++i) {
      archive::File& file = index.files[i];
      const bool changed = index.lossy && file.kind == archive::FileKind::kShard;
      (changed ? file.original_sha256 : file.sha256) = sha256_[i];
    }
  }

  Result<uint64_t> write_lossy(PackPlan& plan, const std::vector<Match>& matches) {
    FINEDELTA_ASSIGN(const LossyFits fits,
                     LossyFits::make(inputs_, plan, writer_.directory(), options_));
    FINEDELTA_CHECK(check_progressive(fits));
    if (options_.lossy->kind == LossyTarget::Kind::kMaxError) {
      const LossyChoice choice{.fits = fits, .matches = matches, .error = options_.lossy->value};
      return write(plan, &choice);
    }
    LossySize size(inputs_, plan, matches, fits, options_);
    for (;;) {
      FINEDELTA_ASSIGN(const double distortion, size.distortion());
      PackPlan tried = plan;
      FINEDELTA_CHECK(writer_.restart());
      const LossyChoice choice{.fits = fits, .matches = matches, .distortion = distortion};
      FINEDELTA_ASSIGN(const uint64_t bytes, write(tried, &choice));
      FINEDELTA_ASSIGN(const bool accepted, size.accept(tried.index, bytes));
      if (!accepted) continue;
      plan = std::move(tried);
      return bytes;
    }
  }

  // Where little changed, what is exact is small, and a lossy layer in front of it makes it larger.
  Status check_progressive(const LossyFits& fits) const {
    constexpr double kMostUnchanged = 0.9;
    const double share = fits.unchanged_share();
    if (!options_.progressive || share <= kMostUnchanged) return {};
    return fail(ErrorCode::kUsage,
                "{:.1f} % of the weights are as in the base, and a progressive archive would be "
                "larger than an exact one: pack without --progressive and --lossy",
                100 * share);
  }

  const Inputs& inputs_;
  const PackOptions& options_;
  archive::Writer writer_;
  FileHashes hashes_;  // runs beside the rest
  std::vector<Sha256> sha256_;
};

}  // namespace

Result<PackReport> pack(const std::vector<std::string>& bases, const std::string& fine_tune,
                        const std::string& archive, const PackOptions& options) {
  return guarded([&]() -> Result<PackReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_CHECK(check_level(options.level));
    if (options.lossy) FINEDELTA_CHECK(check_lossy_target(*options.lossy));
    if (options.progressive && !options.lossy) {
      return fail(ErrorCode::kUsage, "a progressive archive needs a target for its lossy layer");
    }
    FINEDELTA_ASSIGN(const Inputs inputs, open_inputs(bases, fine_tune, options.all, options));
    FINEDELTA_CHECK(check_apart(inputs, archive));
    FINEDELTA_ASSIGN(const InputStamps stamps, InputStamps::take(inputs));
    FINEDELTA_ASSIGN(archive::Writer writer, archive::Writer::create(archive, options.force));
    return Packing(inputs, options, std::move(writer)).run(stamps);
  });
}

}  // namespace finedelta
