#include "engine/lossy_target.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/lossy_trial.h"
#include "engine/size_estimate.h"

namespace finedelta {

namespace {

constexpr int kMostAttempts = 10;
constexpr int kLastAttempts = 6;
constexpr int kFullSteps = 3;
constexpr uint64_t kSmallGap = 1024;  // bytes
constexpr uint64_t kIndexPerLossyTensor = 20;

uint64_t wanted_bytes(const LossyTarget& target, const Inputs& inputs) {
  double bytes = target.value;
  if (target.kind == LossyTarget::Kind::kBits) {
    double elements = 0;
    for (const Shard& shard : inputs.fine_tune.shards) {
      for (const safetensors::Tensor& tensor : shard.header.tensors) {
        elements += static_cast<double>(8 * (tensor.end - tensor.begin)) / dtype_bits(tensor.dtype);
      }
    }
    bytes = target.value * elements / 8;
  } else if (target.kind == LossyTarget::Kind::kRatio) {
    bytes = static_cast<double>(inputs.fine_tune.file_bytes()) / target.value;
  }
  return static_cast<uint64_t>(std::min(bytes, 0x1p60));
}

}  // namespace

Status check_lossy_target(const LossyTarget& target) {
  if (std::isfinite(target.value) && target.value > 0) return {};
  return fail(ErrorCode::kUsage, "the target of a lossy archive is not a number above 0");
}

LossySize::LossySize(const Inputs& inputs, const PackPlan& plan, const std::vector<Match>& matches,
                     const LossyFits& fits, const PackOptions& options)
    : inputs_(inputs),
      plan_(plan),
      fits_(fits),
      options_(options),
      search_(fits, options),
      target_(wanted_bytes(*options.lossy, inputs)),
      aim_(target_),
      beside_(static_cast<int64_t>(index_estimate(plan.index) + side_estimate(plan.index))) {
  for (size_t i = 0; i < matches.size(); ++i) {
    beside_ +=
        static_cast<int64_t>(fits.is_lossy(i) ? kIndexPerLossyTensor : matches[i].estimated_bytes);
  }
}

Result<double> LossySize::distortion() {
  if (attempts_ == 0) FINEDELTA_CHECK(try_pieces());
  return expected();
}

// A whole archive takes longer to try than some pieces of it.
Status LossySize::try_pieces() {
  constexpr int kTrials = 2;
  constexpr uint64_t kRough = 250;  // of the target
  const int64_t untried = beside_;
  for (int i = 0; i < kTrials; ++i) {
    FINEDELTA_ASSIGN(const double distortion, expected());
    FINEDELTA_ASSIGN(const int64_t more, try_lossy(inputs_, plan_, fits_, distortion, options_));
    if (more == 0) break;
    aim_ = target_ - target_ / kRough;
    beside_ = untried + more;
  }
  return {};
}

Result<double> LossySize::expected() {
  const int64_t matrices = static_cast<int64_t>(aim_) - beside_;
  return search_.distortion_for(static_cast<uint64_t>(std::max(matrices, int64_t{0})));
}

// What the search finds may be as much too small as it takes for near enough: too large an archive
// asks for a little less than it has too much. Tensors that become exact where their factors would
// take more make sizes jump: after a few attempts, steps up get smaller.
void LossySize::correct(uint64_t bytes) {
  const int64_t over = static_cast<int64_t>(bytes) - static_cast<int64_t>(aim_);
  if (over > 0) {
    beside_ += over + static_cast<int64_t>(aim_ / kSearchPrecision);
  } else {
    beside_ += attempts_ < kFullSteps ? over : over / 2;
  }
}

Result<bool> LossySize::accept(const archive::Index& index, uint64_t bytes) {
  if (bytes <= target_ && target_ - bytes <= target_ / 100) return true;
  correct(bytes);
  if (bytes > target_ && (least_over_ == 0 || bytes < least_over_)) least_over_ = bytes;
  if (++attempts_ == 1) return false;
  if (bytes > target_ && !index.has_lossy_codes) {
    return fail(ErrorCode::kUsage,
                "a lossy archive of this fine-tune can't have {} bytes: the smallest has {}",
                target_, bytes);
  }
  // Where sizes jump across the target, the last attempts only go down.
  const bool over = bytes > target_;
  if (attempts_ < kMostAttempts + (over ? kLastAttempts : 0)) return false;
  if (over) {
    return fail(ErrorCode::kFailure, "no lossy archive of {} bytes was found, the nearest has {}",
                target_, bytes);
  }
  // Of a small fine-tune, sizes lie further apart than 1 %.
  if (target_ - bytes <= kSmallGap) return true;
  if (least_over_ > 0) {
    return fail(
        ErrorCode::kUsage,
        "a lossy archive of this fine-tune can't have nearly {} bytes: {} and {} can be had",
        target_, bytes, least_over_);
  }
  return fail(ErrorCode::kUsage,
              "a lossy archive of this fine-tune can't have {} bytes: the largest has {}; pack "
              "without --lossy for an exact one",
              target_, bytes);
}

}  // namespace finedelta
