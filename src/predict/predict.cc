#include "predict/predict.h"

#include <algorithm>

#include "kernels/cast.h"
#include "numeric/float_linear.h"
#include "predict/base/base.h"
#include "predict/combination/combination.h"
#include "predict/scaled/scaled.h"

namespace finedelta {

std::string_view predictor_name(Predictor predictor) {
  switch (predictor) {
    case Predictor::kNone:
      return "none";
    case Predictor::kBase:
      return "base";
    case Predictor::kScaled:
      return "scaled";
    case Predictor::kCombination:
      return "combination";
    case Predictor::kLowRank:
      return "low rank";
  }
  return "unknown";
}

bool can_predict(Predictor predictor, std::span<const TensorKind> bases, const TensorKind& tensor) {
  if (bases.size() != base_count(predictor)) return false;
  const bool computes = factor_count(predictor) > 0 || predictor == Predictor::kLowRank;
  if (predictor == Predictor::kLowRank && tensor.shape.size() < 2) return false;
  return std::ranges::all_of(bases, [&](const TensorKind& base) {
    if (computes && !(is_castable(base.dtype) && is_castable(tensor.dtype))) return false;
    if (predictor == Predictor::kCombination) return std::ranges::equal(base.shape, tensor.shape);
    return can_predict(base.dtype, base.shape, tensor.dtype, tensor.shape);
  });
}

bool has_valid_factors(const Formula& formula) {
  const bool scale = formula.predictor == Predictor::kScaled;
  return std::ranges::all_of(formula.used_factors(), scale ? is_scale : is_coefficient);
}

void predict(const Formula& formula, std::span<const BaseUnits> bases, DType dtype,
             MutableBytes prediction) {
  switch (formula.predictor) {
    case Predictor::kNone:
      std::ranges::fill(prediction, std::byte{0});
      break;
    case Predictor::kBase:
    case Predictor::kLowRank:
      predict_from_base(bases[0].dtype, bases[0].bytes, dtype, prediction);
      break;
    case Predictor::kScaled:
      predict_scaled(bases[0].dtype, bases[0].bytes, formula.factors[0], dtype, prediction);
      break;
    case Predictor::kCombination:
      predict_combination({bases[0].dtype, bases[0].bytes.data()},
                          {bases[1].dtype, bases[1].bytes.data()}, formula.factors, dtype,
                          prediction);
      break;
  }
}

Status PredictionReader::predict(const Formula& formula, std::span<const TensorSource> bases,
                                 DType dtype, uint64_t first, MutableBytes prediction,
                                 const LowRankPredictor* low_rank) {
  const uint64_t count = prediction.size() / dtype_unit(dtype);
  std::array<BaseUnits, kMostBases> units;
  for (size_t i = 0; i < formula.bases(); ++i) {
    const ByteRange range = base_range(bases[i].dtype, bases[i].size, first, count);
    bases_[i].resize(range.size);
    Status read = bases[i].read(range.offset, bases_[i]);
    if (!read) return read;
    units[i] = {.dtype = bases[i].dtype, .bytes = bases_[i]};
  }
  finedelta::predict(formula, units, dtype, prediction);
  if (formula.predictor == Predictor::kLowRank) add(*low_rank, dtype, first, prediction);
  return {};
}

// Units behind the matrix are left as they are.
void PredictionReader::add(const LowRankPredictor& low_rank, DType dtype, uint64_t first,
                           MutableBytes prediction) {
  if (first >= low_rank.elements()) return;
  const uint64_t unit = dtype_unit(dtype);
  const uint64_t count = std::min(prediction.size() / unit, low_rank.elements() - first);
  bases_[1].assign(prediction.begin(), prediction.begin() + static_cast<ptrdiff_t>(count * unit));
  low_rank.predict(dtype, first, bases_[1], prediction.first(count * unit));
}

}  // namespace finedelta
