// Predictions of a tensor's units by any predictor.
#ifndef FINEDELTA_PREDICT_PREDICT_H_
#define FINEDELTA_PREDICT_PREDICT_H_

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"
#include "predict/low_rank/predictor.h"
#include "predict/prediction.h"

namespace finedelta {

// Dtype and shape of a tensor or base tensor.
struct TensorKind {
  DType dtype = DType::kU8;
  std::span<const uint64_t> shape;
};

// Whether a predictor may predict a tensor of that kind from base tensors of these kinds, as many
// as it takes.
[[nodiscard]] bool can_predict(Predictor predictor, std::span<const TensorKind> bases,
                               const TensorKind& tensor);

// Whether the factors of a formula are in their range.
[[nodiscard]] bool has_valid_factors(const Formula& formula);

// Units of a base tensor in memory.
struct BaseUnits {
  DType dtype = DType::kU8;
  Bytes bytes;
};

// Fills `prediction` (whole units of `dtype`) from the same units of the bases, as many as the
// formula takes; of a low-rank prediction this is the base's part. Units that a base tensor does
// not have lack at the end of its bytes.
void predict(const Formula& formula, std::span<const BaseUnits> bases, DType dtype,
             MutableBytes prediction);

// A tensor, of a base or of the fine-tune, to be read from.
struct TensorSource {
  DType dtype = DType::kU8;
  uint64_t size = 0;  // bytes of the whole tensor
  std::function<Status(uint64_t offset, MutableBytes to)> read;
};

// The same, reading. One for each thread; the buffers are reused.
class PredictionReader {
 public:
  // Fills `prediction` for a tensor of type `dtype` from its unit `first` on. `low_rank` is there
  // for the predictor of that name.
  Status predict(const Formula& formula, std::span<const TensorSource> bases, DType dtype,
                 uint64_t first, MutableBytes prediction,
                 const LowRankPredictor* low_rank = nullptr);

  // Makes predictions of the base, from unit `first` on, those of the base plus the product.
  void add(const LowRankPredictor& low_rank, DType dtype, uint64_t first, MutableBytes prediction);

 private:
  std::array<std::vector<std::byte>, kMostBases> bases_;
};

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_PREDICT_H_
