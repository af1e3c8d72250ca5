#include "engine/matrix_reader.h"

namespace finedelta {

MatrixPair MatrixReader::pair() {
  return {.dtype = tensor_.dtype,
          .rows = shape_.rows,
          .columns = shape_.columns,
          .read_fine =
              [this](uint64_t row, MutableBytes to) {
                return tensor_.read(row * shape_.columns * dtype_unit(tensor_.dtype), to);
              },
          .read_base =
              [this](uint64_t row, MutableBytes to) {
                return reader_.predict({.predictor = Predictor::kBase}, {&base_, 1}, tensor_.dtype,
                                       row * shape_.columns, to);
              }};
}

}  // namespace finedelta
