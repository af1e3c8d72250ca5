// How many bits a coder will need for what a prediction leaves, at first order.
#ifndef FINEDELTA_PREDICT_LOW_RANK_RESIDUAL_BITS_H_
#define FINEDELTA_PREDICT_LOW_RANK_RESIDUAL_BITS_H_

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// The empirical entropy of the elements given the exponent of their prediction, as if there were
// `total` elements of which these are a sample: the difference of both as ordered integers, its
// sign turned by the prediction's, as a token for its size, and its low bits as they are. Six bits
// are charged for each token that a context uses. F16, BF16 and F32; both have as many bytes.
[[nodiscard]] double residual_bits(DType dtype, Bytes value, Bytes prediction, uint64_t total);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_RESIDUAL_BITS_H_
