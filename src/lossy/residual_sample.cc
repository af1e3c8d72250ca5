#include "lossy/residual_sample.h"

#include <algorithm>

#include "base/error.h"
#include "predict/low_rank/difference_rows.h"

namespace finedelta {

namespace {

// Rows differ more than columns do: those of embeddings by how often their token came.
constexpr uint64_t kRows = 256;
constexpr uint64_t kPiece = 32;

float product_at(const MatrixPair& pair, const SingularDirections& directions, uint64_t row,
                 uint64_t column) {
  double sum = 0;
  for (size_t k = 0; k < directions.rank(); ++k) {
    sum += double{directions.values[k]} * directions.left[k * pair.rows + row] *
           directions.right[k * pair.columns + column];
  }
  return static_cast<float>(sum);
}

}  // namespace

uint64_t residual_piece(uint64_t columns) { return std::min(kPiece, columns); }

Result<std::vector<float>> sample_residual(const MatrixPair& pair,
                                           const SingularDirections& directions) {
  const uint64_t rows = std::min(kRows, pair.rows);
  const uint64_t columns = residual_piece(pair.columns);
  constexpr uint64_t kOneRow = 0;
  DifferenceRows difference(pair, kOneRow);
  std::vector<float> sample;
  sample.reserve(rows * columns);
  for (uint64_t i = 0; i < rows; ++i) {
    const uint64_t row = i * pair.rows / rows;
    const uint64_t first = i * columns % (pair.columns - columns + 1);
    FINEDELTA_ASSIGN(const auto values, difference.read(row));
    for (uint64_t j = first; j < first + columns; ++j) {
      sample.push_back(values[j] - product_at(pair, directions, row, j));
    }
  }
  return sample;
}

}  // namespace finedelta
