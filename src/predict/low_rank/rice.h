// Rice coding (R. F. Rice, 1979) of small signed integers: what the columns of factors are stored
// as. spec.md has the layout.
#ifndef FINEDELTA_PREDICT_LOW_RANK_RICE_H_
#define FINEDELTA_PREDICT_LOW_RANK_RICE_H_

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace finedelta {

// Appends the parameter (u8) that makes the code shortest, then the values, to a whole byte. None
// of them is -32768.
void encode_rice(std::span<const int16_t> values, ByteWriter& out);

// Fills `values`; rejects what is not a code.
void decode_rice(ByteReader& in, std::span<int16_t> values);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_RICE_H_
