#include "finedelta/diff.h"

#include "base/error.h"
#include "base/guard.h"
#include "diff/compare_files.h"
#include "diff/compare_tensors.h"
#include "diff/effective_rank.h"
#include "diff/tensor_pairs.h"
#include "engine/input_stamps.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

uint64_t bytes_to_read(const DiffPairs& pairs, bool rank) {
  uint64_t total = 0;
  for (const DiffPair& pair : pairs.pairs) {
    total += pair.bytes;
    if (rank && is_ranked(pair)) total += pair.bytes;
  }
  return total;
}

uint64_t& count_of(DiffReport& report, std::string_view status) {
  if (status == "equal") return report.equal;
  if (status == "changed") return report.changed;
  if (status == "resized") return report.resized;
  if (status == "only in base") return report.only_in_base;
  if (status == "only in fine-tune") return report.only_in_fine_tune;
  return report.not_comparable;
}

void count_tensors(DiffReport& report) {
  for (const TensorDiff& diff : report.tensors) {
    ++count_of(report, diff.status);
    if (!diff.base_tensor.empty() && diff.base_tensor != diff.name) ++report.renamed;
    report.elements += diff.elements;
    report.changed_elements += diff.changed;
  }
}

}  // namespace

std::optional<double> Norms::relative() const {
  if (!(base > 0)) return std::nullopt;
  return delta / base;
}

bool DiffReport::identical() const {
  return equal == tensors.size() && renamed == 0 && files.empty();
}

Result<DiffReport> diff(const std::string& base, const std::string& fine_tune,
                        const DiffOptions& options) {
  return guarded([&]() -> Result<DiffReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const Inputs inputs, open_inputs({base}, fine_tune, false, options));
    FINEDELTA_ASSIGN(const InputStamps stamps, InputStamps::take(inputs));
    DiffPairs pairs = pair_for_diff(inputs);
    ProgressMeter progress(options.progress, bytes_to_read(pairs, options.rank));
    FINEDELTA_ASSIGN(const FloatTotals totals, compare_tensors(pairs, options, progress));
    if (options.rank) FINEDELTA_CHECK(add_effective_ranks(pairs, options, progress));
    FINEDELTA_ASSIGN(FileDiffs files, compare_files(inputs, options.cancel));
    FINEDELTA_CHECK(stamps.check(inputs, {}));
    DiffReport report{.base = inputs.bases[0].location,
                      .fine_tune = inputs.fine_tune.location,
                      .norms = totals.sums.norms(),
                      .base_non_finite = totals.base,
                      .fine_tune_non_finite = totals.fine_tune,
                      .tensors = std::move(pairs.diffs),
                      .equal_files = files.equal,
                      .files = std::move(files.differing)};
    count_tensors(report);
    return report;
  });
}

}  // namespace finedelta
