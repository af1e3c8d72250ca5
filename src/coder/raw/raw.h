// Coder 0: the bytes as they are. Never larger than that, so always a way out.
#ifndef FINEDELTA_CODER_RAW_RAW_H_
#define FINEDELTA_CODER_RAW_RAW_H_

#include "coder/coder.h"

namespace finedelta {

std::optional<uint64_t> analyze_raw(const ChunkInput& chunk, CoderScratch& scratch);
void encode_raw(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored);
Status decode_raw(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                  CoderScratch& scratch);

inline constexpr Coder kRawCoder{0, "raw", false, analyze_raw, encode_raw, decode_raw};

}  // namespace finedelta

#endif  // FINEDELTA_CODER_RAW_RAW_H_
