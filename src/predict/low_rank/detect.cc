#include "predict/low_rank/detect.h"

#include <Eigen/Dense>
#include <algorithm>
#include <span>

#include "base/error.h"
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/difference_rows.h"

namespace finedelta {

namespace {

constexpr uint64_t kRows = 64;
constexpr uint64_t kColumns = 1024;
constexpr Eigen::Index kLargestDetected = 32;

// What may be left behind the directions of an adapter, of all energy.
constexpr double kLeftOver = 0.02;

// An eigenvalue so many times the next one is the last of the adapter's; what is behind is noise,
// and not most of it.
constexpr double kStep = 3;
constexpr double kMostNoise = 0.5;

// Rising eigenvalues of the rows' products with one another.
Eigen::VectorXd spectrum(const Eigen::MatrixXf& rows) {
  Eigen::MatrixXf products = Eigen::MatrixXf::Zero(rows.rows(), rows.rows());
  products.selfadjointView<Eigen::Lower>().rankUpdate(rows);
  // The solver reads the lower half only.
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf>(products, Eigen::EigenvaluesOnly)
      .eigenvalues()
      .cast<double>();
}

bool has_step(const Eigen::VectorXd& rising) {
  const double all = rising.sum();
  const Eigen::Index size = rising.size();
  if (!(all > 0)) return false;
  for (Eigen::Index k = 1; k <= std::min(kLargestDetected, size - 1); ++k) {
    const double behind = rising.head(size - k).sum();
    if (behind <= kLeftOver * all) return true;
    const bool steps = rising[size - k] >= kStep * std::max(rising[size - k - 1], 0.0);
    // A single direction may be one row that is larger than the others.
    if (k > 1 && steps && behind <= kMostNoise * all) return true;
  }
  return false;
}

}  // namespace

Result<bool> looks_merged(const MatrixPair& pair) {
  fix_product_blocks();
  const uint64_t rows = std::min(kRows, pair.rows);
  const uint64_t columns = std::min(kColumns, pair.columns);
  Eigen::MatrixXf differences(rows, columns);
  DifferenceRows reader(pair, 1);
  for (uint64_t i = 0; i < rows; ++i) {
    FINEDELTA_ASSIGN(const std::span<const float> row, reader.read(i * pair.rows / rows));
    for (uint64_t j = 0; j < columns; ++j) {
      differences(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = row[j];
    }
  }
  return has_step(spectrum(differences));
}

}  // namespace finedelta
