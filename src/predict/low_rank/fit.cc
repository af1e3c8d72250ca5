// Randomised subspace iteration (N. Halko, P. G. Martinsson, J. A. Tropp: Finding structure with
// randomness, SIAM Review 53, 2011, algorithm 4.4), turned round so that each pass over the rows is
// a whole power iteration: W <- orthonormalised D^T (D W), for which a row is read only once. The
// last pass keeps Y = D W, whose own decomposition Y = U S V^T gives D ~ U S (W V)^T.
#include "predict/low_rank/fit.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "kernels/product.h"
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/difference_rows.h"
#include "predict/low_rank/rotate.h"

namespace finedelta {

namespace {

using Matrix = Eigen::MatrixXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block = Eigen::Map<const RowMatrix>;

constexpr size_t kOversampling = 8;
// Directions weaker than the first by this are rounding errors of F32.
constexpr float kWeakest = 1e-5f;

// The finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014): a fixed sequence of bits.
uint64_t mixed(uint64_t value) {
  value *= 0x9E37'79B9'7F4A'7C15;
  value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
  return value ^ value >> 31;
}

// Random signs make as good a test matrix as Gaussian numbers do.
void fill_signs(Matrix& matrix) {
  float* values = matrix.data();
  for (Eigen::Index i = 0; i < matrix.size(); ++i) {
    const uint64_t bits = mixed(static_cast<uint64_t>(i / 64) + 1);
    values[i] = (bits >> (i % 64) & 1) != 0 ? 1.0f : -1.0f;
  }
}

// Calls use(first row, block of D).
template <typename Use>
Status for_each_block(DifferenceRows& rows, Use use) {
  for (uint64_t row = 0; row < rows.rows(); row += rows.block_rows()) {
    FINEDELTA_ASSIGN(const auto block, rows.read(row));
    const auto columns = static_cast<Eigen::Index>(rows.columns());
    const Eigen::Index count = static_cast<Eigen::Index>(block.size()) / columns;
    use(static_cast<Eigen::Index>(row), Block(block.data(), count, columns));
  }
  return {};
}

double sum_of_squares(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return sum;
}

// A tall matrix by rows, their ends filled up with zeros as kernels/product.h wants them.
RowMatrix by_rows(const Matrix& matrix) {
  const size_t width = product_width(static_cast<size_t>(matrix.cols()));
  RowMatrix rows = RowMatrix::Zero(matrix.rows(), static_cast<Eigen::Index>(width));
  rows.leftCols(matrix.cols()) = matrix;
  return rows;
}

StridedMatrix strided(const Block& block) {
  const auto rows = static_cast<size_t>(block.rows());
  const auto columns = static_cast<size_t>(block.cols());
  return {.data = block.data(),
          .rows = rows,
          .columns = columns,
          .row_step = columns,
          .column_step = 1};
}

StridedMatrix transposed(const StridedMatrix& matrix) {
  return {.data = matrix.data,
          .rows = matrix.columns,
          .columns = matrix.rows,
          .row_step = matrix.column_step,
          .column_step = matrix.row_step};
}

// block * w, by rows too.
RowMatrix product_of(const Block& block, const RowMatrix& w) {
  RowMatrix product = RowMatrix::Zero(block.rows(), w.cols());
  add_product(strided(block), w.data(), static_cast<size_t>(w.cols()), product.data());
  return product;
}

// W <- orthonormalised D^T D W; returns the energy of D.
Result<double> iterate(DifferenceRows& rows, Matrix& w) {
  RowMatrix before = by_rows(w);
  const Eigen::Index sketch = w.cols();
  w.resize(0, 0);
  RowMatrix after = RowMatrix::Zero(before.rows(), before.cols());
  double energy = 0;
  FINEDELTA_CHECK(for_each_block(rows, [&](Eigen::Index, const Block& block) {
    const RowMatrix product = product_of(block, before);
    add_product(transposed(strided(block)), product.data(), static_cast<size_t>(product.cols()),
                after.data());
    energy += sum_of_squares({block.data(), static_cast<size_t>(block.size())});
  }));
  before.resize(0, 0);
  w = after.leftCols(sketch);
  orthonormalise(w);
  return energy;
}

std::vector<float> leading_columns(const Matrix& matrix, size_t count) {
  return {matrix.data(), matrix.data() + static_cast<size_t>(matrix.rows()) * count};
}

}  // namespace

Result<SingularDirections> fit_low_rank(const MatrixPair& pair, const FitOptions& options) {
  fix_product_blocks();
  const uint64_t sketch =
      std::min<uint64_t>(options.rank + kOversampling, std::min(pair.rows, pair.columns));
  DifferenceRows rows(pair);
  Matrix w(pair.columns, sketch);
  fill_signs(w);
  SingularDirections found;
  for (int pass = 1; pass < options.passes; ++pass) {
    FINEDELTA_ASSIGN(found.energy, iterate(rows, w));
    if (pass == 1) found.unchanged = rows.unchanged();
  }
  Matrix y(pair.rows, sketch);
  found.complete = rows.complete();
  {  // Not kept while y is taken apart: it may be large.
    const RowMatrix right = by_rows(w);
    FINEDELTA_CHECK(for_each_block(rows, [&](Eigen::Index first, const Block& block) {
      y.middleRows(first, block.rows()) = product_of(block, right).leftCols(y.cols());
    }));
  }
  const std::vector<float> values = diagonalise(y, w);
  size_t rank = 0;
  while (rank < std::min(options.rank, values.size()) && values[rank] > kWeakest * values[0]) {
    ++rank;
  }
  found.values.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank));
  found.left = leading_columns(y, rank);
  y.resize(0, 0);
  found.right = leading_columns(w, rank);
  return found;
}

}  // namespace finedelta
