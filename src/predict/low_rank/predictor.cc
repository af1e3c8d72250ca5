#include "predict/low_rank/predictor.h"

#include "base/error.h"

namespace finedelta {

namespace {

std::vector<int16_t> shifted_left(const Factors& factors) {
  std::vector<int16_t> shifted(factors.left);
  for (size_t i = 0; i < shifted.size(); ++i) {
    shifted[i] = static_cast<int16_t>(shifted[i] * (1 << factors.shifts[i / factors.rows]));
  }
  return shifted;
}

}  // namespace

Result<LowRankPredictor> LowRankPredictor::make(const Factors& factors) {
  FINEDELTA_CHECK(check_factors(factors));
  LowRankPredictor made;
  made.rows_ = factors.rows;
  made.left_ = pack_left(shifted_left(factors), factors.rows);
  made.right_ = pack_right(factors.right, factors.columns);
  made.product_ = {.columns = factors.columns,
                   .pairs = (factors.rank() + 1) / 2,
                   .scale = factors.scale,
                   .stride = factors.columns + kLowRankPadding};
  return made;
}

void LowRankPredictor::predict(DType dtype, uint64_t first, Bytes base,
                               MutableBytes prediction) const {
  LowRankProduct product = product_;
  product.left = left_.data();
  product.right = right_.data();
  const size_t count = prediction.size() / dtype_unit(dtype);
  add_low_rank(dtype, product, first, count, base.data(), prediction.data());
}

MatrixShape matrix_shape(std::span<const uint64_t> shape) {
  MatrixShape matrix{.rows = shape[0], .columns = 1};
  for (const uint64_t dimension : shape.subspan(1)) matrix.columns *= dimension;
  return matrix;
}

Result<LowRankPredictor> read_low_rank(Bytes record, std::span<const uint64_t> shape,
                                       uint64_t memory) {
  FINEDELTA_ASSIGN(const Factors factors, decode_factors(record, memory / kBytesOfLowRankValue));
  const MatrixShape matrix = matrix_shape(shape);
  if (factors.columns != matrix.columns || factors.rows > matrix.rows) {
    return fail(ErrorCode::kDamaged, "low-rank factors: of a matrix of another shape");
  }
  return LowRankPredictor::make(factors);
}

}  // namespace finedelta
