#include "predict/low_rank/rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "predict/low_rank/difference_rows.h"

namespace finedelta {

namespace {

constexpr size_t kNotFinite = 255;

// The exponent of the unit in the last place of a value of F32 with this exponent field.
int unit_exponent(DType dtype, int field) {
  if (dtype == DType::kF16) return std::max(field - 127, -14) - 10;
  return std::max(field, 1) - 127 - (dtype == DType::kBF16 ? 7 : 23);
}

}  // namespace

std::array<double, 256> rounding_variances(DType dtype) {
  std::array<double, 256> variances;
  for (int field = 0; field < 256; ++field) {
    variances[static_cast<size_t>(field)] = std::exp2(2.0 * unit_exponent(dtype, field)) / 12;
  }
  return variances;
}

Result<double> rounding_energy(const MatrixPair& pair) {
  std::array<uint64_t, 256> counts = {};
  DifferenceRows rows(pair);
  for (uint64_t row = 0; row < rows.rows(); row += rows.block_rows()) {
    FINEDELTA_ASSIGN(const std::span<const float> gained, rows.read(row));
    for (size_t i = 0; i < gained.size(); ++i) {
      ++counts[std::bit_cast<uint32_t>(rows.base()[i] + gained[i]) >> 23 & 0xFF];
    }
  }
  const std::array<double, 256> variances = rounding_variances(pair.dtype);
  double sum = 0;
  for (size_t field = 0; field < kNotFinite; ++field) {
    sum += static_cast<double>(counts[field]) * variances[field];
  }
  return sum;
}

}  // namespace finedelta
