#include "lossy/lossy_factors.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "predict/low_rank/blocking.h"
#include "predict/low_rank/quantise.h"

namespace finedelta {

namespace {

using Matrix = Eigen::MatrixXf;
using Eigen::Index;

constexpr int kMostCoarser = 100;

// A direction has an error of (rows + columns) * distortion. One that is no stronger is left out.
double worth_of(uint64_t rows, uint64_t columns, double value) {
  return value * value / static_cast<double>(rows + columns);
}

size_t rank_worth(uint64_t rows, uint64_t columns, const SingularDirections& directions,
                  double distortion) {
  size_t rank = 0;
  while (rank < std::min(directions.rank(), kLargestRank) &&
         worth_of(rows, columns, directions.values[rank]) > distortion) {
    ++rank;
  }
  return rank;
}

Eigen::Map<const Matrix> columns_of(const std::vector<float>& values, uint64_t length) {
  return {values.data(), static_cast<Index>(length), static_cast<Index>(values.size() / length)};
}

Matrix as_floats(const std::vector<int16_t>& values, uint64_t length) {
  using Shorts = Eigen::Matrix<int16_t, Eigen::Dynamic, Eigen::Dynamic>;
  return Eigen::Map<const Shorts>(values.data(), static_cast<Index>(length),
                                  static_cast<Index>(values.size() / length))
      .cast<float>();
}

// The inner product of what the factors make and of what the directions do.
double captured(const Factors& factors, const SingularDirections& directions) {
  const Matrix left =
      columns_of(directions.left, factors.rows).transpose() * as_floats(factors.left, factors.rows);
  const Matrix right = columns_of(directions.right, factors.columns).transpose() *
                       as_floats(factors.right, factors.columns);
  double sum = 0;
  for (Index k = 0; k < left.cols(); ++k) {
    const double step = std::ldexp(double{factors.scale}, factors.shifts[static_cast<size_t>(k)]);
    for (Index l = 0; l < left.rows(); ++l) {
      sum += step * directions.values[static_cast<size_t>(l)] * left(l, k) * right(l, k);
    }
  }
  return sum;
}

bool is_zero(const Factors& factors) {
  const auto none = [](const auto& values) {
    return std::ranges::all_of(values, [](int16_t value) { return value == 0; });
  };
  return none(factors.left) || none(factors.right);
}

}  // namespace

double largest_distortion(uint64_t rows, uint64_t columns, const SingularDirections& directions) {
  return directions.rank() == 0 ? 0 : worth_of(rows, columns, directions.values[0]);
}

double expected_error(uint64_t rows, uint64_t columns, const SingularDirections& directions,
                      double distortion) {
  const size_t rank = rank_worth(rows, columns, directions, distortion);
  double left = directions.energy;
  for (size_t k = 0; k < rank; ++k) left -= double{directions.values[k]} * directions.values[k];
  left = std::max(left, 0.0) + static_cast<double>(rank * (rows + columns)) * distortion;
  return std::sqrt(left / directions.energy);
}

std::optional<Factors> lossy_factors(uint64_t rows, uint64_t columns,
                                     const SingularDirections& directions, double distortion,
                                     double gain) {
  fix_product_blocks();
  const size_t rank = rank_worth(rows, columns, directions, distortion);
  if (rank == 0) return std::nullopt;
  // A step rounds with an error of its square over 12.
  auto step = static_cast<float>(std::sqrt(12 * distortion));
  auto factors = quantise_with(rows, columns, directions, rank, step);
  // The factors of strong directions may not have enough bits for a fine step.
  for (int coarser = 0; coarser < kMostCoarser && !factors; ++coarser) {
    factors = quantise_with(rows, columns, directions, rank, step *= 1.25f);
  }
  if (!factors || is_zero(*factors)) return std::nullopt;
  const double share = std::min(1.0, captured(*factors, directions) / directions.energy);
  if (share <= 0) return std::nullopt;
  factors->scale *= static_cast<float>(std::pow(share, -gain));
  if (!check_factors(*factors)) return std::nullopt;
  return factors;
}

}  // namespace finedelta
