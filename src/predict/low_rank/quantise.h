// From singular directions to integer factors, where they are worth their bits.
#ifndef FINEDELTA_PREDICT_LOW_RANK_QUANTISE_H_
#define FINEDELTA_PREDICT_LOW_RANK_QUANTISE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "finedelta/result.h"
#include "predict/low_rank/factors.h"
#include "predict/low_rank/fit.h"

namespace finedelta {

// Estimates, in bits for the whole matrix.
struct LowRankChoice {
  std::optional<Factors> factors;  // none where they would not pay
  double base_bits = 0;            // what the base alone leaves
  double residual_bits = 0;        // what the choice leaves
  double factor_bits = 0;
};

// Chooses rank and step by the bits of a sample of rows (about 2^18 elements, at least 32 rows;
// each matrix is read at those rows) and of the factors. An error is one of the reads'.
Result<LowRankChoice> quantise(const MatrixPair& pair, const SingularDirections& directions);

// The factors of the first `rank` directions with one step for both sides, in units of the singular
// values: see spec.md. None where a number leaves its bounds.
[[nodiscard]] std::optional<Factors> quantise_with(uint64_t rows, uint64_t columns,
                                                   const SingularDirections& directions,
                                                   size_t rank, float step);

// About what those take, in bits, as `values`, falling and above 0, are the singular ones.
[[nodiscard]] double factor_bits(uint64_t rows, uint64_t columns, std::span<const float> values,
                                 size_t rank, float step);

// The nearest factor, away from zero in the middle of two; within what a factor may be.
[[nodiscard]] int16_t nearest_factor(float value);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_QUANTISE_H_
