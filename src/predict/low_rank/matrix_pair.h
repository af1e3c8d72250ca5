// A matrix of the fine-tune and the one that its base predicts for it, read by rows.
#ifndef FINEDELTA_PREDICT_LOW_RANK_MATRIX_PAIR_H_
#define FINEDELTA_PREDICT_LOW_RANK_MATRIX_PAIR_H_

#include <cstdint>
#include <functional>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"

namespace finedelta {

// Fills the bytes with whole rows, the first of them `row`.
using ReadRows = std::function<Status(uint64_t row, MutableBytes)>;

struct MatrixPair {
  DType dtype = DType::kBF16;  // of both: F16, BF16 or F32
  uint64_t rows = 0;
  uint64_t columns = 0;
  ReadRows read_fine;
  ReadRows read_base;
};

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_MATRIX_PAIR_H_
