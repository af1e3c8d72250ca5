// How much a tensor changed, and how much of that factors keep.
#ifndef FINEDELTA_LORA_MEASURE_H_
#define FINEDELTA_LORA_MEASURE_H_

#include "finedelta/result.h"
#include "lora/spool.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta::peft {

// Sums of squares.
struct Change {
  double base = 0;    // of the base's values
  double gained = 0;  // of fine-tune - base
  double left = 0;    // of that less the product of the factors

  [[nodiscard]] double relative() const;  // of the norms: gained to base
  [[nodiscard]] double error() const;     // left to gained; 0 where nothing was gained
};

// Factors of rank 0 keep nothing. Elements whose difference is not finite, or larger than 1e15,
// count as unchanged. An error is one of the reads'.
Result<Change> measure(const MatrixPair& pair, const MatrixFactors& factors);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_MEASURE_H_
