// What directions leave of a matrix's difference from its base, at some of its places.
#ifndef FINEDELTA_LOSSY_RESIDUAL_SAMPLE_H_
#define FINEDELTA_LOSSY_RESIDUAL_SAMPLE_H_

#include <cstdint>
#include <vector>

#include "finedelta/result.h"
#include "predict/low_rank/fit.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// The length of the pieces of a matrix with so many columns.
[[nodiscard]] uint64_t residual_piece(uint64_t columns);

// About 8192 elements, or all: pieces of rows that are spread over the matrix. Reads those rows.
Result<std::vector<float>> sample_residual(const MatrixPair& pair,
                                           const SingularDirections& directions);

}  // namespace finedelta

#endif  // FINEDELTA_LOSSY_RESIDUAL_SAMPLE_H_
