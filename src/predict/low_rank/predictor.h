// Predictor "low rank": the values of a base tensor plus the product of two narrow integer
// matrices.
#ifndef FINEDELTA_PREDICT_LOW_RANK_PREDICTOR_H_
#define FINEDELTA_PREDICT_LOW_RANK_PREDICTOR_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "kernels/low_rank.h"
#include "numeric/dtype.h"
#include "predict/low_rank/factors.h"

namespace finedelta {

// Factors made ready for predictions. Holds 2 bytes for each value of them, 4 where the rank is 1;
// immutable, so threads may share one.
class LowRankPredictor {
 public:
  // kDamaged for factors that check_factors refuses.
  static Result<LowRankPredictor> make(const Factors& factors);

  [[nodiscard]] uint64_t elements() const { return rows_ * product_.columns; }

  // Fills `prediction` (elements of `dtype`, from element `first` of the matrix on, within it) from
  // as many values of the base, which have been converted to `dtype`: F16, BF16 or F32. The two do
  // not overlap.
  void predict(DType dtype, uint64_t first, Bytes base, MutableBytes prediction) const;

 private:
  LowRankPredictor() = default;

  uint64_t rows_ = 0;
  std::vector<int32_t> left_;
  std::vector<int32_t> right_;
  LowRankProduct product_;  // its pointers are set for each call: the object may move
};

// The predictor of a tensor from the record of its factors, which nobody vouches for. kDamaged,
// with the reason, where they are not factors of a matrix of that shape, or of its first rows;
// kFailure where more than `memory` bytes would be needed besides the record.
Result<LowRankPredictor> read_low_rank(Bytes record, std::span<const uint64_t> shape,
                                       uint64_t memory);

// The most that takes for each value of the factors: itself, itself shifted, and as it is kept,
// which is in pairs.
inline constexpr uint64_t kBytesOfLowRankValue = 8;

// A tensor of at least two dimensions as a matrix.
struct MatrixShape {
  uint64_t rows = 0;
  uint64_t columns = 0;
};
[[nodiscard]] MatrixShape matrix_shape(std::span<const uint64_t> shape);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_PREDICTOR_H_
