// Predictor "base": the values of a base tensor, converted to the fine-tune's type. What the other
// predictors share with it.
// docs/format.md, sections 4 and 6.
#ifndef FINEDELTA_PREDICT_BASE_BASE_H_
#define FINEDELTA_PREDICT_BASE_BASE_H_

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// Whether a tensor can predict another: same shape, or the same but for the first dimension; same
// dtype, or both floating-point types that can be converted.
[[nodiscard]] bool can_predict(DType base_dtype, std::span<const uint64_t> base_shape, DType dtype,
                               std::span<const uint64_t> shape);

// The bytes of the base tensor, `base_bytes` long in all, that predict units `first` to
// `first + count` of a tensor; empty where the base has no such units. Units of both tensors
// correspond one to one whatever their types: types that differ are whole bytes each.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};
[[nodiscard]] ByteRange base_range(DType base_dtype, uint64_t base_bytes, uint64_t first,
                                   uint64_t count);

// Fills `prediction` (whole units of `dtype`) from the bytes of that range; what the base does not
// have becomes zero.
void predict_from_base(DType base_dtype, Bytes base, DType dtype, MutableBytes prediction);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_BASE_BASE_H_
