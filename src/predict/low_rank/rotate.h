// Orthonormal columns of tall matrices. For .cc files: Eigen takes seconds to compile.
#ifndef FINEDELTA_PREDICT_LOW_RANK_ROTATE_H_
#define FINEDELTA_PREDICT_LOW_RANK_ROTATE_H_

#include <Eigen/Core>
#include <vector>

namespace finedelta {

// Makes the columns an orthonormal basis of what they span, the directions they are strongest in
// first; those in which they are within rounding errors of nothing become zero.
void orthonormalise(Eigen::MatrixXf& matrix);

// Makes the columns of w orthonormal and keeps y w^T as it is, but for directions of w within
// rounding errors of nothing.
void orthonormalise_right(Eigen::MatrixXf& y, Eigen::MatrixXf& w);

// With y = U S V^T: y becomes U, w becomes w V; returns the diagonal of S, falling.
std::vector<float> diagonalise(Eigen::MatrixXf& y, Eigen::MatrixXf& w);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_ROTATE_H_
