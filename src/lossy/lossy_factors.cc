#include "lossy/lossy_factors.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "predict/low_rank/blocking.h"
#include "predict/low_rank/quantise.h"

namespace finedelta {

namespace {

using Matrix = Eigen::MatrixXf;
using Eigen::Index;

constexpr float kLeastKept = 0.1f;  // of a direction: less is left out
constexpr double kRidge = 1e-6;     // of a direction: columns may be all zero, or alike

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

using Shorts = Eigen::Matrix<int16_t, Eigen::Dynamic, Eigen::Dynamic>;

Eigen::Map<const Shorts> columns_of(const std::vector<int16_t>& values, uint64_t length) {
  return {values.data(), static_cast<Index>(length), static_cast<Index>(values.size() / length)};
}

// Blocks of a long side, so that copies of it as floats take little memory: use(first row, rows).
template <typename Use>
void for_each_block(uint64_t length, Use use) {
  constexpr uint64_t kRows = 4096;
  for (uint64_t first = 0; first < length; first += kRows) {
    use(static_cast<Index>(first), static_cast<Index>(std::min(kRows, length - first)));
  }
}

// Of each pair of a direction's side and a factor's, which is as long.
Matrix inner_products(const std::vector<float>& side, const std::vector<int16_t>& factor,
                      uint64_t length) {
  const auto directions = columns_of(side, length);
  const auto factors = columns_of(factor, length);
  Matrix sum = Matrix::Zero(directions.cols(), factors.cols());
  for_each_block(length, [&](Index first, Index rows) {
    sum.noalias() += directions.middleRows(first, rows).transpose() *
                     factors.middleRows(first, rows).cast<float>().eval();
  });
  return sum;
}

// The inner product of what the factors make and of what the directions do.
double captured(const Factors& factors, const SingularDirections& directions) {
  const Matrix left = inner_products(directions.left, factors.left, factors.rows);
  const Matrix right = inner_products(directions.right, factors.right, factors.columns);
  double sum = 0;
  for (Index k = 0; k < left.cols(); ++k) {
    const double step = std::ldexp(double{factors.scale}, factors.shifts[static_cast<size_t>(k)]);
    for (Index l = 0; l < left.rows(); ++l) {
      sum += step * directions.values[static_cast<size_t>(l)] * left(l, k) * right(l, k);
    }
  }
  return sum;
}

// The left factor that fits best, by least squares, to the right one as it was rounded: that makes
// up for those errors of the right one that lie along its other columns. Least squares shrink what
// fits badly, and models mind that more than an error: so each direction is made as strong again as
// it was.
void refit_left(Factors& factors, const SingularDirections& directions) {
  const Matrix right = columns_of(factors.right, factors.columns).cast<float>();
  const auto rank = static_cast<Index>(factors.rank());
  Eigen::MatrixXd gram = (right.transpose() * right).cast<double>();
  gram.diagonal().array() += kRidge * gram.trace() / static_cast<double>(rank);
  const Eigen::Map<const Eigen::VectorXf> values(directions.values.data(),
                                                 static_cast<Index>(directions.rank()));
  const Matrix along =
      values.asDiagonal() * inner_products(directions.right, factors.right, factors.columns);
  Matrix mixed = gram.ldlt().solve(along.transpose().cast<double>()).cast<float>();
  for (Index l = 0; l < mixed.cols(); ++l) {
    const float kept = mixed.col(l).dot(along.row(l)) / (values[l] * values[l]);
    mixed.col(l) *= l < rank && kept > kLeastKept ? 1 / kept : 0.0f;
  }
  for_each_block(factors.rows, [&](Index first, Index rows) {
    const Matrix left =
        columns_of(directions.left, factors.rows).middleRows(first, rows) * mixed.transpose();
    for (Index k = 0; k < rank; ++k) {
      const auto number = static_cast<size_t>(k);
      const float step = std::ldexp(factors.scale, factors.shifts[number]);
      int16_t* const to = &factors.left[number * factors.rows + static_cast<size_t>(first)];
      for (Index i = 0; i < rows; ++i) to[i] = nearest_factor(left(i, k) / step);
    }
  });
}

bool is_zero(const Factors& factors) {
  const auto none = [](const auto& values) {
    return std::ranges::all_of(values, [](int16_t value) { return value == 0; });
  };
  return none(factors.left) || none(factors.right);
}

}  // namespace

float step_for(double distortion) { return static_cast<float>(std::sqrt(12 * distortion)); }

double largest_distortion(uint64_t rows, uint64_t columns, const SingularDirections& directions) {
  return directions.rank() == 0 ? 0 : worth_of(rows, columns, directions.values[0]);
}

double energy_left(uint64_t rows, uint64_t columns, const SingularDirections& directions,
                   double distortion) {
  const size_t rank = rank_worth(rows, columns, directions, distortion);
  double left = directions.energy;
  for (size_t k = 0; k < rank; ++k) left -= double{directions.values[k]} * directions.values[k];
  return std::max(left, 0.0) + static_cast<double>(rank * (rows + columns)) * distortion;
}

double expected_factor_bytes(uint64_t rows, uint64_t columns, const SingularDirections& directions,
                             double distortion) {
  const size_t rank = rank_worth(rows, columns, directions, distortion);
  if (rank == 0) return 0;
  return factor_bits(rows, columns, directions.values, rank, step_for(distortion)) / 8;
}

std::optional<LossyFactors> lossy_factors(uint64_t rows, uint64_t columns,
                                          const SingularDirections& directions, double distortion) {
  fix_product_blocks();
  const size_t rank = rank_worth(rows, columns, directions, distortion);
  if (rank == 0) return std::nullopt;
  float step = step_for(distortion);
  auto factors = quantise_with(rows, columns, directions, rank, step);
  // The factors of strong directions may not have enough bits for a fine step.
  for (int coarser = 0; coarser < kMostCoarser && !factors; ++coarser) {
    factors = quantise_with(rows, columns, directions, rank, step *= 1.25f);
  }
  if (!factors || is_zero(*factors)) return std::nullopt;
  refit_left(*factors, directions);
  if (is_zero(*factors) || !check_factors(*factors)) return std::nullopt;
  const double product = captured(*factors, directions);
  if (product <= 0) return std::nullopt;
  return LossyFactors{.factors = *std::move(factors), .captured = product};
}

}  // namespace finedelta
