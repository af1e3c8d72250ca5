// How the bytes of side files are written: chunks of 2^20 bytes, each raw, a zstd frame, or a zstd
// frame made against part of a base file. docs/format.md, section 5.
#ifndef FINEDELTA_SIDE_SIDE_CODEC_H_
#define FINEDELTA_SIDE_SIDE_CODEC_H_

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/zstd.h"
#include "finedelta/result.h"

namespace finedelta {

enum class SideCoder : uint8_t { kRaw = 0, kZstd = 1, kPatch = 2 };

inline constexpr uint64_t kLargestPrefix = uint64_t{4} << 20;

// The part of a base file of `base_size` bytes worth having beside bytes `offset` to
// `offset + size` (at most 2^20) of its successor: the same place, and a margin on both sides for
// what was inserted or removed before it.
struct PrefixRange {
  uint64_t offset = 0;
  uint64_t size = 0;  // under kLargestPrefix
};
[[nodiscard]] PrefixRange prefix_range(uint64_t offset, uint64_t size, uint64_t base_size);

// Appends one chunk (not empty) to `stored`, with `prefix` where that is not empty, raw where that
// is smaller. `level` is zstd's.
SideCoder encode_side_chunk(Bytes chunk, Bytes prefix, int level, ZstdEncoder& encoder,
                            std::vector<std::byte>& stored);

// Fills `chunk` from bytes that nobody vouches for. kDamaged with a reason, without names.
Status decode_side_chunk(SideCoder coder, Bytes stored, Bytes prefix, ZstdDecoder& decoder,
                         MutableBytes chunk);

}  // namespace finedelta

#endif  // FINEDELTA_SIDE_SIDE_CODEC_H_
