#include "predict/base/base.h"

#include <algorithm>

#include "kernels/cast.h"

namespace finedelta {

bool can_predict(DType base_dtype, std::span<const uint64_t> base_shape, DType dtype,
                 std::span<const uint64_t> shape) {
  if (base_dtype != dtype && !can_cast(base_dtype, dtype)) return false;
  if (base_shape.size() != shape.size()) return false;
  return shape.empty() || std::ranges::equal(base_shape.subspan(1), shape.subspan(1));
}

ByteRange base_range(DType base_dtype, uint64_t base_bytes, uint64_t first, uint64_t count) {
  const uint64_t unit = dtype_unit(base_dtype);
  const uint64_t units = base_bytes / unit;
  const uint64_t begin = std::min(first, units);
  const uint64_t end = std::min(first + count, units);
  return {.offset = begin * unit, .size = (end - begin) * unit};
}

void predict_from_base(DType base_dtype, Bytes base, DType dtype, MutableBytes prediction) {
  const size_t known = base.size() / dtype_unit(base_dtype);
  const size_t filled = known * dtype_unit(dtype);
  if (base_dtype == dtype) {
    std::ranges::copy(base, prediction.begin());
  } else {
    cast_elements(base_dtype, dtype, base.data(), known, prediction.data());
  }
  std::ranges::fill(prediction.subspan(filled), std::byte{0});
}

}  // namespace finedelta
