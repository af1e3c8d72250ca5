// Blocks of rows of fine - base, as floats.
#ifndef FINEDELTA_PREDICT_LOW_RANK_DIFFERENCE_ROWS_H_
#define FINEDELTA_PREDICT_LOW_RANK_DIFFERENCE_ROWS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// Squares and products of larger ones would not be finite.
inline constexpr float kLargestDifference = 1e15F;

class DifferenceRows {
 public:
  // `pair` must outlive it. Its elements must be castable. Blocks are of whole rows, at least
  // one, with at most `block_elements` beyond that.
  explicit DifferenceRows(const MatrixPair& pair, uint64_t block_elements = uint64_t{1} << 20);

  [[nodiscard]] uint64_t rows() const { return pair_.rows; }
  [[nodiscard]] uint64_t columns() const { return pair_.columns; }
  [[nodiscard]] uint64_t block_rows() const { return block_rows_; }

  // The block that begins with this row; valid until the next call. Elements that are not finite,
  // or differ by more than 1e15, are 0: their squares and products would not be finite either.
  Result<std::span<const float>> read(uint64_t row);

  // Whether no element was 0 for that reason so far.
  [[nodiscard]] bool complete() const { return complete_; }

  // How many elements of all that were read were 0, for whatever reason.
  [[nodiscard]] uint64_t unchanged() const { return unchanged_; }

  // The base's elements of the block that was read last.
  [[nodiscard]] std::span<const float> base() const { return base_; }

 private:
  Status read_floats(const ReadRows& read, uint64_t row, std::span<float> to);

  const MatrixPair& pair_;
  uint64_t block_rows_;
  bool complete_ = true;
  uint64_t unchanged_ = 0;
  std::vector<std::byte> bytes_;
  std::vector<float> base_;
  std::vector<float> difference_;
};

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_DIFFERENCE_ROWS_H_
