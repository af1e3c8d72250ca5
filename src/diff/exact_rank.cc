#include <algorithm>

#include "base/error.h"
#include "diff/delta_reader.h"
#include "diff/effective_rank.h"
#include "kernels/product.h"

namespace finedelta {

namespace {

constexpr uint64_t kSlabElements = uint64_t{1} << 18;

// Reads lines across a matrix's longer side: rows of a tall matrix, columns of a wide one.
class SlabReader {
 public:
  SlabReader(const DeltaMatrix& matrix, size_t width)
      : matrix_(matrix), width_(width), reader_(*matrix.pair, matrix.scale, matrix.cancel) {}

  // Lines of `width` elements; those behind a line's end are left as they are.
  Status read(uint64_t first, uint64_t lines, std::vector<float>& slab) {
    return matrix_.columns <= matrix_.rows ? read_rows(first, lines, slab)
                                           : read_columns(first, lines, slab);
  }

 private:
  Status read_rows(uint64_t first, uint64_t lines, std::vector<float>& slab) {
    piece_.resize(lines * matrix_.columns);
    FINEDELTA_CHECK(reader_.read(first * matrix_.columns, piece_));
    for (uint64_t line = 0; line < lines; ++line) {
      std::copy_n(&piece_[line * matrix_.columns], matrix_.columns, &slab[line * width_]);
    }
    return {};
  }

  Status read_columns(uint64_t first, uint64_t lines, std::vector<float>& slab) {
    piece_.resize(lines);
    for (uint64_t row = 0; row < matrix_.rows; ++row) {
      FINEDELTA_CHECK(reader_.read(row * matrix_.columns + first, piece_));
      for (uint64_t line = 0; line < lines; ++line) slab[line * width_ + row] = piece_[line];
    }
    return {};
  }

  const DeltaMatrix& matrix_;
  size_t width_;
  DeltaReader reader_;
  std::vector<float> piece_;
};

}  // namespace

Result<std::optional<double>> exact_rank(const DeltaMatrix& matrix) {
  const size_t side = std::min(matrix.rows, matrix.columns);
  const uint64_t length = std::max(matrix.rows, matrix.columns);
  const size_t width = product_width(side);
  const uint64_t step = std::min(std::max<uint64_t>(kSlabElements / width, 1), length);
  SlabReader reader(matrix, width);
  std::vector<float> slab(step * width);
  std::vector<float> products(side * width);
  // Sums of few products in F32, those of all in F64.
  std::vector<double> gram(side * width);
  for (uint64_t first = 0; first < length; first += step) {
    const uint64_t lines = std::min(step, length - first);
    FINEDELTA_CHECK(reader.read(first, lines, slab));
    std::ranges::fill(products, 0.0F);
    add_product(
        {.data = slab.data(), .rows = side, .columns = lines, .row_step = 1, .column_step = width},
        slab.data(), width, products.data());
    for (size_t i = 0; i < gram.size(); ++i) gram[i] += products[i];
  }
  double trace = 0;
  double squares = 0;
  for (size_t i = 0; i < side; ++i) trace += gram[i * width + i];
  for (const double product : gram) squares += product * product;
  if (!(squares > 0)) return std::nullopt;
  return trace * trace / squares;
}

}  // namespace finedelta
