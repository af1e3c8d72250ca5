// Alternating weighted least squares (K. R. Gabriel, S. Zamir: Lower rank approximation of matrices
// by least squares with any choice of weights, Technometrics 21, 1979). One pass over the rows does
// both halves: a row of the left factor follows from that row and the right factor, and adds to the
// normal equations of the right factor at once. The normal equations of many rows are one product
// of the weights with the products of all pairs of columns.
#include "predict/low_rank/refine.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/difference_rows.h"
#include "predict/low_rank/rotate.h"
#include "predict/low_rank/rounding.h"

namespace finedelta {

namespace {

using Eigen::Index;
using Matrix = Eigen::MatrixXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block = Eigen::Map<const RowMatrix>;

// The share of the elements, those rounded finest, by which the variance beyond rounding is told.
constexpr uint64_t kFinestShare = 4;
// Keeps normal equations solvable: of the mean of their diagonal.
constexpr double kRidge = 1e-7;

// Weights by the exponent field of the fine-tune's value.
class Weights {
 public:
  Weights(DType dtype, double variance) : variance_(variance) {
    std::ranges::transform(rounding_variances(dtype), weights_.begin(), [&](double rounding) {
      // In units that keep sums within F32.
      return static_cast<float>(variance / (rounding + variance));
    });
  }

  [[nodiscard]] static size_t field(float value) {
    return std::bit_cast<uint32_t>(value) >> 23 & 0xFF;
  }
  [[nodiscard]] float of(float value) const { return weights_[field(value)]; }

  // For the next pass: the errors of values by their exponent field.
  void see(float value, float error) {
    squares_[field(value)] += double{error} * error;
    ++counts_[field(value)];
  }
  // Of the errors seen of the values rounded finest.
  [[nodiscard]] double seen_variance() const {
    uint64_t total = 0;
    for (const uint64_t count : counts_) total += count;
    uint64_t count = 0;
    double squares = 0;
    for (size_t i = 0; i < counts_.size() && count * kFinestShare < total; ++i) {
      count += counts_[i];
      squares += squares_[i];
    }
    const double seen = squares / static_cast<double>(std::max<uint64_t>(count, 1));
    // Never at once to nothing, at which all weight would be that of a few elements.
    return std::max(seen, variance_ / 1024);
  }

 private:
  double variance_;
  std::array<float, 256> weights_ = {};
  std::array<double, 256> squares_ = {};
  std::array<uint64_t, 256> counts_ = {};
};

// Of a block of rows.
constexpr uint64_t kBlockElements = uint64_t{1} << 17;
// Products of pairs of a factor's columns are made for so many columns of the matrix at a time.
constexpr Index kColumnBlock = 512;

// Column p of the result: the product of columns a and b, over all a <= b in order of b.
template <typename Factor>
Matrix products_of_pairs(const Factor& factor) {
  const Index rank = factor.cols();
  Matrix products(factor.rows(), rank * (rank + 1) / 2);
  Index p = 0;
  for (Index b = 0; b < rank; ++b) {
    for (Index a = 0; a <= b; ++a) products.col(p++) = factor.col(a).cwiseProduct(factor.col(b));
  }
  return products;
}

// Row i of `right_sides` becomes x of G x = right side, with G packed in row i of `normal`.
void solve_rows(const Matrix& normal, Matrix& right_sides) {
  const Index rank = right_sides.cols();
  Eigen::MatrixXd matrix(rank, rank);
  for (Index i = 0; i < normal.rows(); ++i) {
    Index p = 0;
    for (Index b = 0; b < rank; ++b) {
      for (Index a = 0; a <= b; ++a) matrix(a, b) = matrix(b, a) = normal(i, p++);
    }
    const double mean = matrix.trace() / static_cast<double>(rank);
    if (!(mean > 0)) {
      right_sides.row(i).setZero();
      continue;
    }
    matrix.diagonal().array() += kRidge * mean;
    const Eigen::VectorXd x = matrix.ldlt().solve(right_sides.row(i).transpose().cast<double>());
    right_sides.row(i) = x.transpose().cast<float>();
  }
}

class Pass {
 public:
  Pass(const MatrixPair& pair, double variance, Matrix& left, Matrix& right)
      : rows_(pair, kBlockElements),
        weights_(pair.dtype, variance),
        left_(left),
        right_(right),
        normal_(Matrix::Zero(right.rows(), right.cols() * (right.cols() + 1) / 2)),
        sides_(Matrix::Zero(right.rows(), right.cols())) {}

  // The variance for the next pass.
  Result<double> run() {
    for (uint64_t row = 0; row < rows_.rows(); row += rows_.block_rows()) {
      FINEDELTA_ASSIGN(const auto values, rows_.read(row));
      const auto columns = static_cast<Index>(rows_.columns());
      const Index count = static_cast<Index>(values.size()) / columns;
      use(static_cast<Index>(row), Block(values.data(), count, columns));
    }
    solve_rows(normal_, sides_);
    right_.swap(sides_);
    return weights_.seen_variance();
  }

 private:
  void use(Index first, const Block& difference) {
    weigh(difference);
    Matrix factor = weighted_ * right_;
    solve_rows(normal_of_rows(), factor);
    left_.middleRows(first, factor.rows()) = factor;
    normal_.noalias() += weight_.transpose() * products_of_pairs(factor);
    sides_.noalias() += weighted_.transpose() * factor;
    weighted_.noalias() = factor * right_.transpose();
    for (Index i = 0; i < difference.size(); ++i) {
      const float gained = difference.data()[i];
      weights_.see(rows_.base()[static_cast<size_t>(i)] + gained, gained - weighted_.data()[i]);
    }
  }

  // The normal equations for the rows of the left factor.
  Matrix normal_of_rows() const {
    Matrix normal = Matrix::Zero(weight_.rows(), normal_.cols());
    for (Index begin = 0; begin < right_.rows(); begin += kColumnBlock) {
      const Index count = std::min(kColumnBlock, right_.rows() - begin);
      normal.noalias() +=
          weight_.middleCols(begin, count) * products_of_pairs(right_.middleRows(begin, count));
    }
    return normal;
  }

  void weigh(const Block& difference) {
    weight_.resize(difference.rows(), difference.cols());
    weighted_.resize(difference.rows(), difference.cols());
    for (Index i = 0; i < difference.size(); ++i) {
      const float gained = difference.data()[i];
      const float weight = weights_.of(rows_.base()[static_cast<size_t>(i)] + gained);
      weight_.data()[i] = weight;
      weighted_.data()[i] = weight * gained;
    }
  }

  DifferenceRows rows_;
  Weights weights_;
  Matrix& left_;
  Matrix& right_;
  Matrix normal_;  // equations for the next right factor
  Matrix sides_;
  RowMatrix weight_;
  RowMatrix weighted_;
};

}  // namespace

uint64_t refine_bytes(uint64_t rows, uint64_t columns, size_t found, size_t rank) {
  const uint64_t pairs = rank * (rank + 1) / 2;
  const uint64_t block_rows = std::max<uint64_t>(kBlockElements / columns, 1);
  // Both matrices, the difference, weights and weighted differences.
  const uint64_t block = block_rows * columns * 5;
  const uint64_t equations = pairs * (columns + 2 * block_rows + kColumnBlock);
  const uint64_t factors = found * (rows + columns) + rank * (rows + 3 * columns);
  return sizeof(float) * (block + equations + factors);
}

Result<SingularDirections> refine(const MatrixPair& pair, const SingularDirections& directions,
                                  size_t rank, int passes) {
  fix_product_blocks();
  const auto length = static_cast<Index>(pair.columns);
  Matrix left = Matrix::Zero(static_cast<Index>(pair.rows), static_cast<Index>(rank));
  Matrix right =
      Eigen::Map<const Matrix>(directions.right.data(), length, static_cast<Index>(rank));
  double kept = 0;
  for (size_t k = 0; k < rank; ++k) kept += double{directions.values[k]} * directions.values[k];
  const auto elements = static_cast<double>(pair.rows) * static_cast<double>(pair.columns);
  // What the directions leave is mostly rounding; the rest is to be found out.
  double variance = std::max(directions.energy - kept, 1e-6 * directions.energy) / elements / 16;
  for (int i = 0; i < passes; ++i) {
    FINEDELTA_ASSIGN(variance, Pass(pair, variance, left, right).run());
    orthonormalise_right(left, right);
  }
  SingularDirections refined = {.values = diagonalise(left, right), .energy = directions.energy};
  while (!refined.values.empty() && !(refined.values.back() > 0)) refined.values.pop_back();
  const auto columns_of = [&refined](const Matrix& matrix) {
    const float* begin = matrix.data();
    return std::vector<float>(begin, begin + matrix.rows() * static_cast<Index>(refined.rank()));
  };
  refined.left = columns_of(left);
  refined.right = columns_of(right);
  return refined;
}

}  // namespace finedelta
