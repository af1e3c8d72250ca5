// Rice coding (R. F. Rice, 1979) of small signed integers: what the columns of factors are stored
// as. spec.md has the layout.
#ifndef FINEDELTA_PREDICT_LOW_RANK_RICE_H_
#define FINEDELTA_PREDICT_LOW_RANK_RICE_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bit_stream.h"
#include "base/bytes.h"

namespace finedelta {

// Appends the parameter (u8) that makes the code shortest, then the values, to a whole byte. None
// of them is -32768.
void encode_rice(std::span<const int16_t> values, ByteWriter& out);

// Fills `values` from whole bytes, where `in` is at the beginning of one. Says why where they are
// no code, else nothing.
std::string_view decode_rice(BitReader& in, std::span<int16_t> values);

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_RICE_H_
