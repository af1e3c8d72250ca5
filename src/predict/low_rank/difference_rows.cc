#include "predict/low_rank/difference_rows.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/cast.h"

namespace finedelta {

DifferenceRows::DifferenceRows(const MatrixPair& pair, uint64_t block_elements)
    : pair_(pair), block_rows_(std::max<uint64_t>(block_elements / pair.columns, 1)) {
  const uint64_t elements = std::min(block_rows_, pair.rows) * pair.columns;
  base_.resize(elements);
  difference_.resize(elements);
}

Result<std::span<const float>> DifferenceRows::read(uint64_t row) {
  const uint64_t count = std::min(block_rows_, pair_.rows - row) * pair_.columns;
  const auto difference = std::span(difference_).first(count);
  FINEDELTA_CHECK(read_floats(pair_.read_base, row, std::span(base_).first(count)));
  FINEDELTA_CHECK(read_floats(pair_.read_fine, row, difference));
  for (size_t i = 0; i < count; ++i) {
    const float gained = difference[i] - base_[i];
    const bool usable = std::abs(gained) <= kLargestDifference;
    difference[i] = usable ? gained : 0.0f;
    complete_ &= usable;
    unchanged_ += difference[i] == 0 ? 1 : 0;
  }
  return difference;
}

Status DifferenceRows::read_floats(const ReadRows& read, uint64_t row, std::span<float> to) {
  if (pair_.dtype == DType::kF32) return read(row, std::as_writable_bytes(to));
  bytes_.resize(to.size() * dtype_unit(pair_.dtype));
  FINEDELTA_CHECK(read(row, bytes_));
  widen_elements(pair_.dtype, bytes_.data(), to);
  return {};
}

}  // namespace finedelta
