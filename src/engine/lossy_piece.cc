#include "engine/lossy_piece.h"

#include "base/error.h"
#include "kernels/cast.h"

namespace finedelta {

namespace {

// What residuals of numbers of few bits are near is whole units of their last place. A step that
// passes such a place makes an archive jump in size; so that not all pieces do at once, their steps
// differ a little, spread evenly over the pieces.
float varied(float step, uint64_t piece) {
  constexpr float kSpread = 0.16f;
  constexpr uint32_t kGoldenRatio = 0x9E37'79B9;  // of 2^32
  const uint32_t place = static_cast<uint32_t>(piece) * kGoldenRatio >> 24;
  return step * (1 + kSpread * (static_cast<float>(place) / 256 - 0.5f));
}

}  // namespace

Status LossyPiece::work(const LossyTensor& lossy, const TensorSource& base, const Place& place,
                        Bytes value) {
  const auto& [dtype, columns, first] = place;
  place_ = {.columns = columns, .first = first % columns};
  base_.resize(value.size());
  FINEDELTA_CHECK(
      predictions_.predict({.predictor = Predictor::kBase}, {&base, 1}, dtype, first, base_));
  result_ = base_;
  if (lossy.factors) predictions_.add(lossy.factors->predictor, dtype, first, result_);
  choice_ = {};
  if (lossy.step == 0) return {};
  find_residuals(dtype, value, lossy.strength);
  add_steps(lossy, dtype, lossy.number + first / kChunkUnits);
  return {};
}

void LossyPiece::add_steps(const LossyTensor& lossy, DType dtype, uint64_t piece) {
  const auto step = static_cast<float>(lossy.strength * lossy.step);
  choice_ = quantise_steps({.residuals = residuals_,
                            .columns = place_.columns,
                            .first = place_.first,
                            .step = varied(step, piece),
                            .missing = lossy.missing},
                           steps_);
  if (choice_.all_zero) return;
  prediction_.swap(result_);
  result_.resize(prediction_.size());
  apply_steps(dtype, prediction_, steps_, choice_.scale, result_);
}

// From the prediction to the base and `strength` times the difference.
void LossyPiece::find_residuals(DType dtype, Bytes value, double strength) {
  const auto times = static_cast<float>(strength);
  residuals_.resize(value.size() / dtype_unit(dtype));
  floats_.resize(residuals_.size());
  widen_elements(dtype, value.data(), residuals_);
  widen_elements(dtype, base_.data(), floats_);
  for (size_t i = 0; i < residuals_.size(); ++i) {
    residuals_[i] = floats_[i] + times * (residuals_[i] - floats_[i]);
  }
  widen_elements(dtype, result_.data(), floats_);
  for (size_t i = 0; i < residuals_.size(); ++i) residuals_[i] -= floats_[i];
}

}  // namespace finedelta
