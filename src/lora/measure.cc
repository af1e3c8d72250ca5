#include "lora/measure.h"

#include <Eigen/Core>
#include <cmath>

#include "base/error.h"
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/difference_rows.h"

namespace finedelta::peft {

namespace {

using Eigen::Index;
using Matrix = Eigen::MatrixXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr uint64_t kBlockElements = uint64_t{1} << 18;

double squares(const float* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) sum += double{values[i]} * values[i];
  }
  return sum;
}

}  // namespace

double Change::relative() const { return gained > 0 ? std::sqrt(gained / base) : 0; }

double Change::error() const { return gained > 0 ? std::sqrt(left / gained) : 0; }

Result<Change> measure(const MatrixPair& pair, const MatrixFactors& factors) {
  fix_product_blocks();
  const auto rank = static_cast<Index>(factors.rank);
  const Eigen::Map<const Matrix> left(factors.left.data(), static_cast<Index>(pair.rows), rank);
  const Eigen::Map<const Matrix> right(factors.right.data(), static_cast<Index>(pair.columns),
                                       rank);
  DifferenceRows rows(pair, kBlockElements);
  RowMatrix rest;
  Change change;
  for (uint64_t row = 0; row < pair.rows; row += rows.block_rows()) {
    FINEDELTA_ASSIGN(const std::span<const float> gained, rows.read(row));
    const Index count = static_cast<Index>(gained.size() / pair.columns);
    rest = Eigen::Map<const RowMatrix>(gained.data(), count, static_cast<Index>(pair.columns));
    if (rank > 0) {
      rest.noalias() -= left.middleRows(static_cast<Index>(row), count) * right.transpose();
    }
    change.base += squares(rows.base().data(), gained.size());
    change.gained += squares(gained.data(), gained.size());
    change.left += squares(rest.data(), gained.size());
  }
  return change;
}

}  // namespace finedelta::peft
