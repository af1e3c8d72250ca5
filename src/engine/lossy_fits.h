// The singular directions of all matrices of a fine-tune, from which a lossy archive is made.
#ifndef FINEDELTA_ENGINE_LOSSY_FITS_H_
#define FINEDELTA_ENGINE_LOSSY_FITS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/scratch_file.h"
#include "engine/low_rank_search.h"
#include "engine/pack_plan.h"
#include "engine/resources.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"
#include "lossy/approximation.h"

namespace finedelta {

// What is stored of a lossy tensor.
struct LossyTensor {
  std::optional<LowRankAnswer> factors;  // none: the base is all that is predicted
  double strength = 1;                   // as of Approximation
  float step = 0;                        // likewise
  double missing = 1;                    // as of Aim
  size_t number = 0;                     // of the tensor
  uint64_t step_bytes = 0;               // about what the steps take

  // About what all of it takes.
  [[nodiscard]] uint64_t bytes() const {
    return step_bytes + (factors ? factors->record.size() : 0);
  }
};

// Distortions are tried down to this part of the largest: factors have 16 bits.
inline constexpr double kLeastDistortion = 1e-9;

// Of the tensors of all shards, counted in order. What is not lossy is stored exactly: what has no
// base, is no matrix of F16, BF16 or F32, or holds a NaN or an infinity.
class LossyFits {
 public:
  // Reads every matrix three times at most, and some of its rows once more. The directions wait in
  // a file in `directory`, as they may take more memory than there is: 4 * rank * (rows + columns)
  // bytes for each matrix.
  static Result<LossyFits> make(const Inputs& inputs, const PackPlan& plan,
                                const std::string& directory, const PackOptions& options);

  [[nodiscard]] bool is_lossy(size_t tensor) const { return matrices_[tensor].has_value(); }

  // Of a lossy one: whether it differs from the base.
  [[nodiscard]] bool has_delta(size_t tensor) const { return matrices_[tensor]->energy > 0; }

  // The share of the elements of all lossy tensors that are as in the base; 0 where there are none.
  [[nodiscard]] double unchanged_share() const;

  // What is stored of a lossy tensor: lossy/approximation.h.
  Result<LossyTensor> tensor(size_t number, double distortion, const Aim& aim) const;

  // The largest distortion at which, with kLeastError, that relative error may be expected; none
  // where there is no such.
  Result<std::optional<double>> distortion_within(size_t tensor, double error) const;

  // What all lossy tensors take, but for how their steps come out: that is estimated.
  Result<uint64_t> bytes_at(double distortion, const PackOptions& options) const;

  // About as much, in far less time.
  Result<double> expected_bytes_at(double distortion) const;

  // From this distortion on nothing is stored.
  [[nodiscard]] double largest_distortion() const;

 private:
  struct Matrix {
    uint64_t rows = 0;
    uint64_t columns = 0;
    size_t rank = 0;
    double energy = 0;
    uint64_t unchanged = 0;  // elements
    double largest_distortion = 0;
    size_t sampled = 0;   // elements of the rest
    uint64_t offset = 0;  // of values, left, right and the rest
    [[nodiscard]] double elements() const {
      return static_cast<double>(rows) * static_cast<double>(columns);
    }
  };
  class Fitting;

  Result<Difference> difference(const Matrix& matrix) const;
  // Without left and right directions.
  Result<Difference> outline(const Matrix& matrix) const;
  // Without reading anything from the distortion on from which nothing is stored.
  Result<Approximation> approximation(const Matrix& matrix, double distortion,
                                      const Aim& aim) const;

  std::vector<std::optional<Matrix>> matrices_;
  std::unique_ptr<ScratchFile> scratch_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_FITS_H_
