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
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/difference_rows.h"
#include "predict/low_rank/rotate.h"

namespace finedelta {

namespace {

using Matrix = Eigen::MatrixXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

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
    use(static_cast<Eigen::Index>(row), Eigen::Map<const RowMatrix>(block.data(), count, columns));
  }
  return {};
}

double sum_of_squares(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return sum;
}

// W <- orthonormalised D^T D W; returns the energy of D.
Result<double> iterate(DifferenceRows& rows, Matrix& w) {
  Matrix next = Matrix::Zero(w.rows(), w.cols());
  Matrix product;
  double energy = 0;
  FINEDELTA_CHECK(for_each_block(rows, [&](Eigen::Index, const auto& block) {
    product.noalias() = block * w;
    next.noalias() += block.transpose() * product;
    energy += sum_of_squares({block.data(), static_cast<size_t>(block.size())});
  }));
  w.swap(next);
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
  FINEDELTA_CHECK(for_each_block(rows, [&](Eigen::Index first, const auto& block) {
    y.middleRows(first, block.rows()).noalias() = block * w;
  }));
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
