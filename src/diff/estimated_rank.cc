#include <Eigen/Core>
#include <algorithm>

#include "base/error.h"
#include "diff/delta_reader.h"
#include "diff/effective_rank.h"
#include "kernels/product.h"
#include "predict/low_rank/blocking.h"
#include "predict/low_rank/rotate.h"

namespace finedelta {

namespace {

using Matrix = Eigen::MatrixXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Directions whose part of the sum is known, and random ones that tell the rest.
constexpr Eigen::Index kDirections = 32;
constexpr Eigen::Index kProbes = 32;

constexpr uint64_t kBlockElements = uint64_t{1} << 19;

// The finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014): a fixed sequence of bits.
uint64_t mixed(uint64_t value) {
  value *= 0x9E37'79B9'7F4A'7C15;
  value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
  return value ^ value >> 31;
}

Matrix random_signs(Eigen::Index rows, Eigen::Index columns, uint64_t seed) {
  Matrix signs(rows, columns);
  float* const values = signs.data();
  for (Eigen::Index i = 0; i < signs.size(); ++i) {
    const uint64_t bits = mixed((seed << 32) + static_cast<uint64_t>(i / 64));
    values[i] = (bits >> (i % 64) & 1) != 0 ? 1.0F : -1.0F;
  }
  return signs;
}

struct Images {
  RowMatrix vectors;  // D^T D x of each vector x
  double energy = 0;  // the sum of the squares of D
};

// One pass over D. Widths are those of kernels/product.h.
Result<Images> square_times(const DeltaMatrix& matrix, const RowMatrix& x) {
  const auto width = static_cast<size_t>(x.cols());
  const uint64_t columns = matrix.columns;
  const uint64_t step = std::max<uint64_t>(kBlockElements / columns, 1);
  DeltaReader reader(*matrix.pair, matrix.scale, matrix.cancel);
  std::vector<float> block;
  std::vector<float> product;
  Images images{.vectors = RowMatrix::Zero(x.rows(), x.cols())};
  for (uint64_t row = 0; row < matrix.rows; row += step) {
    const size_t rows = std::min(step, matrix.rows - row);
    block.resize(rows * columns);
    FINEDELTA_CHECK(reader.read(row * columns, block));
    for (const float delta : block) images.energy += double{delta} * delta;
    product.assign(rows * width, 0);
    add_product({.data = block.data(),
                 .rows = rows,
                 .columns = columns,
                 .row_step = columns,
                 .column_step = 1},
                x.data(), width, product.data());
    add_product({.data = block.data(),
                 .rows = columns,
                 .columns = rows,
                 .row_step = 1,
                 .column_step = columns},
                product.data(), width, images.vectors.data());
  }
  return images;
}

double squares_of(const RowMatrix& vectors, Eigen::Index first, Eigen::Index count) {
  return vectors.middleCols(first, count).cast<double>().squaredNorm();
}

}  // namespace

Result<std::optional<double>> estimated_rank(const DeltaMatrix& matrix) {
  static_assert(product_width(kDirections) == kDirections && product_width(kProbes) == kProbes);
  fix_product_blocks();
  const auto columns = static_cast<Eigen::Index>(matrix.columns);
  FINEDELTA_ASSIGN(const Images sketch,
                   square_times(matrix, random_signs(columns, kDirections, 1)));
  if (!(sketch.energy > 0)) return std::nullopt;
  Matrix directions = sketch.vectors;
  orthonormalise(directions);
  Matrix probes = random_signs(columns, kProbes, 2);
  probes -= directions * (directions.transpose() * probes);
  RowMatrix x(columns, kDirections + kProbes);
  x << directions, probes;
  FINEDELTA_ASSIGN(const Images images, square_times(matrix, x));
  const double squares = squares_of(images.vectors, 0, kDirections) +
                         squares_of(images.vectors, kDirections, kProbes) / double{kProbes};
  if (!(squares > 0)) return std::nullopt;
  return images.energy * images.energy / squares;
}

}  // namespace finedelta
