#include "diff/delta_reader.h"

#include <cmath>

#include "base/error.h"
#include "kernels/cast.h"
#include "predict/low_rank/difference_rows.h"

namespace finedelta {

Status DeltaReader::read(uint64_t first, std::span<float> to) {
  if (cancel_ && cancel_->cancelled()) return fail(ErrorCode::kCancelled, "interrupted");
  base_.resize(to.size());
  FINEDELTA_CHECK(read_floats(pair_.base, first, base_));
  FINEDELTA_CHECK(read_floats(pair_.fine, first, to));
  for (size_t i = 0; i < to.size(); ++i) {
    const float delta = to[i] - base_[i];
    to[i] = std::abs(delta) <= kLargestDifference ? delta * scale_ : 0;
  }
  return {};
}

Status DeltaReader::read_floats(const StoredTensor& from, uint64_t first, std::span<float> to) {
  const DType dtype = from.tensor->dtype;
  bytes_.resize(to.size() * dtype_unit(dtype));
  FINEDELTA_CHECK(from.shard->read(*from.tensor, first * dtype_unit(dtype), bytes_));
  widen_elements(dtype, bytes_.data(), to);
  return {};
}

}  // namespace finedelta
