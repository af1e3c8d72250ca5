// What a piece of a lossy tensor becomes.
#ifndef FINEDELTA_ENGINE_LOSSY_PIECE_H_
#define FINEDELTA_ENGINE_LOSSY_PIECE_H_

#include <cstdint>
#include <vector>

#include "coder/steps/quantise.h"
#include "coder/steps/steps.h"
#include "engine/lossy_fits.h"
#include "finedelta/result.h"
#include "predict/predict.h"

namespace finedelta {

// One for each thread; the buffers are reused.
class LossyPiece {
 public:
  struct Place {
    DType dtype = DType::kBF16;
    uint64_t columns = 1;  // of the tensor, as a matrix
    uint64_t first = 0;    // unit of it
  };

  // Of `value`, which lies there in a tensor whose base is `base`.
  Status work(const LossyTensor& lossy, const TensorSource& base, const Place& place, Bytes value);

  [[nodiscard]] Bytes base() const { return base_; }      // as the tensor's type
  [[nodiscard]] Bytes result() const { return result_; }  // what comes out

  // How it comes from the prediction: as it is, or by steps, which this appends.
  [[nodiscard]] bool all_zero() const { return choice_.all_zero; }
  void encode(std::vector<std::byte>& stored) const {
    encode_steps(steps_, choice_.scale, place_, stored);
  }

 private:
  void find_residuals(DType dtype, Bytes value, double strength);
  void add_steps(const LossyTensor& lossy, DType dtype, uint64_t piece);

  PredictionReader predictions_;
  std::vector<std::byte> base_;
  std::vector<std::byte> result_;
  std::vector<std::byte> prediction_;
  std::vector<float> residuals_;
  std::vector<float> floats_;
  std::vector<int16_t> steps_;
  StepsChoice choice_;
  StepsPlace place_;
};

// The bytes that its buffers take for each unit of a piece, besides one of the tensor's type.
inline constexpr uint64_t kLossyPieceBytes = 2 * sizeof(float) + sizeof(int16_t);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_PIECE_H_
