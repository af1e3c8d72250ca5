// Coder 1: the chunk is its prediction; nothing is stored.
#ifndef FINEDELTA_CODER_IDENTICAL_IDENTICAL_H_
#define FINEDELTA_CODER_IDENTICAL_IDENTICAL_H_

#include "coder/coder.h"

namespace finedelta {

std::optional<uint64_t> analyze_identical(const ChunkInput& chunk, CoderScratch& scratch);
void encode_identical(const ChunkInput& chunk, CoderScratch& scratch,
                      std::vector<std::byte>& stored);
Status decode_identical(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                        CoderScratch& scratch);

inline constexpr Coder kIdenticalCoder{
    1, "identical", true, analyze_identical, encode_identical, decode_identical};

}  // namespace finedelta

#endif  // FINEDELTA_CODER_IDENTICAL_IDENTICAL_H_
