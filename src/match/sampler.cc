#include "match/sampler.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

namespace {

// The sample: this many units in all, in windows spread evenly over the tensor.
constexpr uint64_t kSampleUnits = 8192;
constexpr uint64_t kWindows = 4;

BaseUnits units_of(const FloatSample& sample) {
  return {.dtype = DType::kF32, .bytes = std::as_bytes(std::span(sample))};
}

// Calls visit(first unit of a window, its place in the sample, its number of units).
template <typename Visit>
Status for_each_window(uint64_t units, uint64_t sampled, uint64_t windows, Visit visit) {
  const uint64_t count = sampled / windows;
  for (uint64_t w = 0; w < windows && count > 0; ++w) {
    const uint64_t place = w * count;
    FINEDELTA_CHECK(visit((units - sampled) / windows * w + place, place, count));
  }
  return {};
}

}  // namespace

Status Sampler::begin(const TensorSource& tensor) {
  dtype_ = tensor.dtype;
  const unsigned unit = dtype_unit(dtype_);
  units_ = tensor.size / unit;
  sampled_ = std::min(units_, kSampleUnits);
  windows_ = sampled_ == units_ ? 1 : kWindows;
  value_.resize(sampled_ * unit);
  floats_.clear();
  return for_each_window(
      units_, sampled_, windows_, [&](uint64_t first, uint64_t place, uint64_t count) {
        return tensor.read(first * unit, MutableBytes(value_).subspan(place * unit, count * unit));
      });
}

uint64_t Sampler::estimate_alone() { return estimate_with({}); }

Result<uint64_t> Sampler::estimate_from(const TensorSource& base) {
  return estimate_from(base, {.predictor = Predictor::kBase}, nullptr);
}

Result<uint64_t> Sampler::estimate_from(const TensorSource& base, const Formula& formula,
                                        const LowRankPredictor* low_rank) {
  prediction_.resize(value_.size());
  FINEDELTA_CHECK(read_prediction(base, formula, low_rank, dtype_, prediction_));
  return estimate_with(prediction_);
}

const FloatSample& Sampler::floats() {
  if (!floats_.empty()) return floats_;
  floats_.resize(sampled_);
  const BaseUnits value = {.dtype = dtype_, .bytes = value_};
  predict({.predictor = Predictor::kBase}, {&value, 1}, DType::kF32,
          std::as_writable_bytes(std::span(floats_)));
  return floats_;
}

Result<FloatSample> Sampler::read_floats(const TensorSource& base) {
  FloatSample floats(sampled_);
  FINEDELTA_CHECK(read_prediction(base, {.predictor = Predictor::kBase}, nullptr, DType::kF32,
                                  std::as_writable_bytes(std::span(floats))));
  return floats;
}

uint64_t Sampler::estimate(const Formula& formula, std::span<const FloatSample> bases) {
  predict_sample(formula, bases);
  return estimate_with(prediction_);
}

uint64_t Sampler::count_hits(const Formula& formula, std::span<const FloatSample> bases) {
  predict_sample(formula, bases);
  const unsigned unit = dtype_unit(dtype_);
  uint64_t hits = 0;
  for (size_t at = 0; at < value_.size(); at += unit) {
    if (std::equal(&value_[at], &value_[at] + unit, &prediction_[at])) ++hits;
  }
  return hits;
}

Status Sampler::read_prediction(const TensorSource& base, const Formula& formula,
                                const LowRankPredictor* low_rank, DType dtype, MutableBytes to) {
  const unsigned unit = dtype_unit(dtype);
  return for_each_window(units_, sampled_, windows_,
                         [&](uint64_t first, uint64_t place, uint64_t count) {
                           return reader_.predict(formula, {&base, 1}, dtype, first,
                                                  to.subspan(place * unit, count * unit), low_rank);
                         });
}

// F32 stands for any castable type: widening is exact.
void Sampler::predict_sample(const Formula& formula, std::span<const FloatSample> bases) {
  std::array<BaseUnits, kMostBases> units;
  std::ranges::transform(bases, units.begin(), units_of);
  prediction_.resize(value_.size());
  predict(formula, std::span(units).first(bases.size()), dtype_, prediction_);
}

uint64_t Sampler::estimate_with(Bytes prediction) {
  if (sampled_ == 0) return 0;
  // As for chunks of one size that make up the tensor.
  const uint64_t chunks = (units_ + kChunkUnits - 1) / kChunkUnits;
  const uint64_t units = (units_ + chunks - 1) / chunks;
  const ChunkInput chunk{
      .dtype = dtype_, .value = value_, .prediction = prediction, .whole_units = units};
  return chunks * choose_coder(chunk, scratch_).estimate;
}

}  // namespace finedelta
