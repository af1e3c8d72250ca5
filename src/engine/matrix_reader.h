// A tensor and its base tensor, read as two matrices of the tensor's type.
#ifndef FINEDELTA_ENGINE_MATRIX_READER_H_
#define FINEDELTA_ENGINE_MATRIX_READER_H_

#include "predict/low_rank/matrix_pair.h"
#include "predict/predict.h"

namespace finedelta {

// Not thread-safe. Stays where it is: what `pair` gives refers to it.
class MatrixReader {
 public:
  // `shape` may leave out rows of the tensor that the base does not have.
  MatrixReader(TensorSource tensor, TensorSource base, MatrixShape shape)
      : tensor_(std::move(tensor)), base_(std::move(base)), shape_(shape) {}
  MatrixReader(const MatrixReader&) = delete;
  MatrixReader& operator=(const MatrixReader&) = delete;

  [[nodiscard]] MatrixPair pair();

 private:
  TensorSource tensor_;
  TensorSource base_;
  MatrixShape shape_;
  PredictionReader reader_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_MATRIX_READER_H_
