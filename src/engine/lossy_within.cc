#include "engine/lossy_within.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "coder/coder.h"
#include "lossy/error_report.h"
#include "lossy/lossy_factors.h"

namespace finedelta {

namespace {

// What is expected is off by the rounding of values and by the rounding to the tensor's type: how
// often that is made up for, and how near to the error is near enough.
constexpr int kTries = 8;
constexpr double kNear = 0.97;
constexpr double kAim = 0.985;

// Of the whole tensor, by pieces as chunks are.
Result<double> measured_error(const LowRankQuestion& question, const LowRankPredictor& predictor) {
  const DType dtype = question.tensor.dtype;
  const uint64_t unit = dtype_unit(dtype);
  const uint64_t units = question.tensor.size / unit;
  PredictionReader reader;
  std::vector<std::byte> fine, base, lossy;
  ErrorSums sums;
  for (uint64_t first = 0; first < units; first += kChunkUnits) {
    const uint64_t bytes = std::min(kChunkUnits, units - first) * unit;
    for (auto* buffer : {&fine, &base}) buffer->resize(bytes);
    FINEDELTA_CHECK(question.tensor.read(first * unit, fine));
    FINEDELTA_CHECK(
        reader.predict({.predictor = Predictor::kBase}, {&question.base, 1}, dtype, first, base));
    lossy = base;
    reader.add(predictor, dtype, first, lossy);
    ErrorSums piece;
    piece.add(dtype, fine, lossy, base);
    sums.add(piece);
  }
  // As it will be stated.
  return unpack_report(pack_report(sums.report()))->relative_error;
}

}  // namespace

Result<std::optional<LowRankAnswer>> factors_within(const LossyFits& fits, size_t tensor,
                                                    const LowRankQuestion& question, double error) {
  std::optional<LowRankAnswer> best;
  double expected = error;
  for (int i = 0; i < kTries; ++i) {
    FINEDELTA_ASSIGN(const auto distortion, fits.distortion_within(tensor, expected));
    if (!distortion) break;
    FINEDELTA_ASSIGN(auto answer, fits.factors(tensor, *distortion, kNoGain));
    if (!answer) break;
    FINEDELTA_ASSIGN(const double measured, measured_error(question, answer->predictor));
    if (measured <= error) best = std::move(answer);
    if (measured <= error && measured > kNear * error) break;
    expected *= kAim * error / measured;
  }
  return best;
}

}  // namespace finedelta
