#include "finedelta/pack.h"

#include <algorithm>

#include "archive/writer.h"
#include "base/error.h"
#include "base/guard.h"
#include "engine/file_hashes.h"
#include "engine/input_stamps.h"
#include "engine/output_apart.h"
#include "engine/pack_plan.h"
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

uint64_t total_bytes(const Checkpoint& checkpoint) {
  uint64_t total = 0;
  for (const Entry& entry : checkpoint.entries) total += entry.size;
  return total;
}

PackReport make_report(const Inputs& inputs, const archive::Index& index, uint64_t archive_bytes) {
  PackReport report{.input_bytes = total_bytes(inputs.fine_tune),
                    .archive_bytes = archive_bytes,
                    .bases = index.bases.size()};
  for (const archive::File& file : index.files) {
    if (file.kind != archive::FileKind::kEmptyDirectory) ++report.files;
    for (const archive::Tensor& tensor : file.tensors) {
      ++report.tensors;
      report.weight_bytes += tensor.bytes;
      if (tensor.prediction) ++report.matched_tensors;
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

}  // namespace

Result<PackReport> pack(const std::vector<std::string>& bases, const std::string& fine_tune,
                        const std::string& archive, const PackOptions& options) {
  return guarded([&]() -> Result<PackReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_CHECK(check_level(options.level));
    FINEDELTA_ASSIGN(const Inputs inputs, open_inputs(bases, fine_tune, options.all, options));
    FINEDELTA_CHECK(check_apart(inputs, archive));
    FINEDELTA_ASSIGN(const InputStamps stamps, InputStamps::take(inputs));
    FINEDELTA_ASSIGN(archive::Writer writer, archive::Writer::create(archive, options.force));
    FileHashes hashes(inputs.fine_tune, options.cancel);

    FINEDELTA_ASSIGN(const std::vector<Match> matches, match_inputs(inputs, options));
    FINEDELTA_ASSIGN(PackPlan plan, make_pack_plan(inputs, matches, options));
    note_useless_bases(inputs, plan, options.note);

    ProgressMeter progress(options.progress, total_bytes(inputs.fine_tune));
    FINEDELTA_CHECK(pack_tensors(inputs, plan, writer, options, progress));
    writer.end_payload();
    FINEDELTA_CHECK(pack_side_files(inputs, plan, writer, options, progress));

    FINEDELTA_ASSIGN(const std::vector<Sha256> sha256, hashes.finish());
    for (size_t i = 0; i < sha256.size(); ++i) plan.index.files[i].sha256 = sha256[i];
    FINEDELTA_CHECK(stamps.check(inputs, plan));
    FINEDELTA_ASSIGN(const uint64_t archive_bytes, writer.finish(plan.index, options.memory));
    return make_report(inputs, plan.index, archive_bytes);
  });
}

}  // namespace finedelta
