// What predictions of a tensor would cost, estimated from a sample.
#ifndef FINEDELTA_MATCH_SAMPLER_H_
#define FINEDELTA_MATCH_SAMPLER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "coder/coder.h"
#include "finedelta/result.h"
#include "predict/predict.h"

namespace finedelta {

// The sampled units of a tensor, as F32.
using FloatSample = std::vector<float>;

// Holds the sample of one tensor at a time. One for each thread. Estimates are of the bytes of all
// chunks of the tensor, and the same on every machine.
class Sampler {
 public:
  // Takes the sample of a tensor: everything else speaks of that one.
  Status begin(const TensorSource& tensor);

  // Without a base tensor, and predicted plainly from one that may predict it.
  [[nodiscard]] uint64_t estimate_alone();
  Result<uint64_t> estimate_from(const TensorSource& base);

  // Predicted by a formula of one base tensor; `low_rank` is there for the predictor of that name.
  Result<uint64_t> estimate_from(const TensorSource& base, const Formula& formula,
                                 const LowRankPredictor* low_rank);

  // The rest is for castable dtypes.

  [[nodiscard]] const FloatSample& floats();                  // of the tensor
  Result<FloatSample> read_floats(const TensorSource& base);  // of the same units of a base tensor

  // Predicted by `formula` from bases of which these are the samples.
  [[nodiscard]] uint64_t estimate(const Formula& formula, std::span<const FloatSample> bases);

  // How many units of the sample that predicts exactly.
  [[nodiscard]] uint64_t count_hits(const Formula& formula, std::span<const FloatSample> bases);

 private:
  Status read_prediction(const TensorSource& base, const Formula& formula,
                         const LowRankPredictor* low_rank, DType dtype, MutableBytes to);
  void predict_sample(const Formula& formula, std::span<const FloatSample> bases);
  uint64_t estimate_with(Bytes prediction);

  DType dtype_ = DType::kU8;
  uint64_t units_ = 0;    // of the tensor
  uint64_t sampled_ = 0;  // of them
  uint64_t windows_ = 1;  // of consecutive units
  std::vector<std::byte> value_;
  FloatSample floats_;
  std::vector<std::byte> prediction_;
  PredictionReader reader_;
  CoderScratch scratch_;
};

}  // namespace finedelta

#endif  // FINEDELTA_MATCH_SAMPLER_H_
