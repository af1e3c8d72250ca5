// Coder 2: XOR with the prediction, split into byte planes, each compressed by zstd.
//
// The byte planes of a float hold different things (sign and exponent, mantissa), and the high
// planes of the XOR with a good prediction are mostly zero. The scheme of BitX (ZipLLM,
// arXiv:2505.06252) and ZipNN (arXiv:2411.05239), without their grouping of bits.
#ifndef FINEDELTA_CODER_PLANES_PLANES_H_
#define FINEDELTA_CODER_PLANES_PLANES_H_

#include "coder/coder.h"

namespace finedelta {

// How a plane is written.
enum class PlaneMode : uint8_t { kRaw = 0, kConstant = 1, kZstd = 2 };

std::optional<uint64_t> analyze_planes(const ChunkInput& chunk, CoderScratch& scratch);
void encode_planes(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored);
Status decode_planes(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                     CoderScratch& scratch);

inline constexpr Coder kPlanesCoder{
    2, "planes", true, analyze_planes, encode_planes, decode_planes};

}  // namespace finedelta

#endif  // FINEDELTA_CODER_PLANES_PLANES_H_
