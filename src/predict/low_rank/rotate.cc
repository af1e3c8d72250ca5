// By way of the Gram matrix, in double precision: that squares the condition number, which F64 can
// bear where F32 data has no more to say, and needs no second tall matrix.
#include "predict/low_rank/rotate.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace finedelta {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::MatrixXf;
using Eigen::VectorXd;

constexpr Index kRowsAtATime = 1024;
// Of the largest eigenvalue: the square of F32's precision.
constexpr double kNothing = 1e-13;

MatrixXd gram(const MatrixXf& matrix) {
  MatrixXd sum = MatrixXd::Zero(matrix.cols(), matrix.cols());
  for (Index row = 0; row < matrix.rows(); row += kRowsAtATime) {
    const Index count = std::min(kRowsAtATime, matrix.rows() - row);
    const MatrixXd block = matrix.middleRows(row, count).cast<double>();
    sum.noalias() += block.transpose() * block;
  }
  return sum;
}

void multiply(MatrixXf& matrix, const MatrixXd& by) {
  for (Index row = 0; row < matrix.rows(); row += kRowsAtATime) {
    const Index count = std::min(kRowsAtATime, matrix.rows() - row);
    const MatrixXd block = matrix.middleRows(row, count).cast<double>();
    matrix.middleRows(row, count) = (block * by).cast<float>();
  }
}

// matrix^T matrix = vectors * diagonal(squares) * vectors^T, the largest first.
struct Spectrum {
  MatrixXd vectors;
  VectorXd squares;

  explicit Spectrum(const MatrixXf& matrix) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(gram(matrix));
    vectors = solver.eigenvectors().rowwise().reverse();
    squares = solver.eigenvalues().reverse();
  }
  [[nodiscard]] bool is_nothing(Index i) const {
    return !(squares(i) > kNothing * squares(0)) || !(squares(i) > 0);
  }
  // What makes the matrix's columns orthonormal.
  [[nodiscard]] MatrixXd whitening() const {
    MatrixXd result = vectors;
    for (Index i = 0; i < squares.size(); ++i) {
      result.col(i) *= is_nothing(i) ? 0.0 : 1.0 / std::sqrt(squares(i));
    }
    return result;
  }
};

}  // namespace

void orthonormalise(MatrixXf& matrix) {
  // Once leaves errors where the condition number was large; twice is enough.
  for (int i = 0; i < 2; ++i) multiply(matrix, Spectrum(matrix).whitening());
}

void orthonormalise_right(MatrixXf& y, MatrixXf& w) {
  const Spectrum spectrum(w);
  multiply(w, spectrum.whitening());
  MatrixXd stretched = spectrum.vectors;
  for (Index i = 0; i < spectrum.squares.size(); ++i) {
    stretched.col(i) *= std::sqrt(std::max(spectrum.squares(i), 0.0));
  }
  multiply(y, stretched);
}

std::vector<float> diagonalise(MatrixXf& y, MatrixXf& w) {
  const Spectrum spectrum(y);
  multiply(y, spectrum.whitening());
  multiply(w, spectrum.vectors);
  std::vector<float> values;
  for (Index i = 0; i < spectrum.squares.size(); ++i) {
    const double square = spectrum.is_nothing(i) ? 0.0 : spectrum.squares(i);
    values.push_back(static_cast<float>(std::sqrt(square)));
  }
  return values;
}

}  // namespace finedelta
