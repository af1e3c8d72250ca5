// Coder 3: small integers instead of floats, sorted by what the prediction says of them, and each
// sort written as a wavelet tree. spec.md says how; model.h, table.h and tree.h are its parts.
#ifndef FINEDELTA_CODER_WAVELET_WAVELET_H_
#define FINEDELTA_CODER_WAVELET_WAVELET_H_

#include "coder/coder.h"

namespace finedelta {

std::optional<uint64_t> analyze_wavelet(const ChunkInput& chunk, CoderScratch& scratch);
void encode_wavelet(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored);
Status decode_wavelet(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                      CoderScratch& scratch);

inline constexpr Coder kWaveletCoder{
    3, "wavelet", true, analyze_wavelet, encode_wavelet, decode_wavelet};

}  // namespace finedelta

#endif  // FINEDELTA_CODER_WAVELET_WAVELET_H_
