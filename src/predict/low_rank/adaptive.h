// Adaptive binary range coding of the columns of two factors, for records of few bits a value.
#ifndef FINEDELTA_PREDICT_LOW_RANK_ADAPTIVE_H_
#define FINEDELTA_PREDICT_LOW_RANK_ADAPTIVE_H_

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "predict/low_rank/factors.h"

namespace finedelta {

// Shifts, left and right, of factors that check_factors accepts and whose shifts do not fall.
[[nodiscard]] std::vector<std::byte> encode_adaptive(const Factors& factors);

// Fills shifts, left and right, which have their sizes. Says why where they are no code, else
// nothing.
std::string_view decode_adaptive(Bytes bytes, Factors& factors);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_ADAPTIVE_H_
