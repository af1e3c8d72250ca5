#include "side/side_codec.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

namespace {

constexpr uint64_t kMargin = uint64_t{1} << 20;

}  // namespace

PrefixRange prefix_range(uint64_t offset, uint64_t size, uint64_t base_size) {
  const uint64_t begin = std::min(offset - std::min(offset, kMargin), base_size);
  const uint64_t end = std::min(offset + size + kMargin, base_size);
  return {.offset = begin, .size = end - begin};
}

SideCoder encode_side_chunk(Bytes chunk, Bytes prefix, int level, ZstdEncoder& encoder,
                            std::vector<std::byte>& stored) {
  const size_t before = stored.size();
  encoder.compress(chunk, level, prefix, stored);
  if (stored.size() - before < chunk.size()) {
    return prefix.empty() ? SideCoder::kZstd : SideCoder::kPatch;
  }
  stored.resize(before);
  stored.insert(stored.end(), chunk.begin(), chunk.end());
  return SideCoder::kRaw;
}

Status decode_side_chunk(SideCoder coder, Bytes stored, Bytes prefix, ZstdDecoder& decoder,
                         MutableBytes chunk) {
  if (coder != SideCoder::kRaw) return decoder.decompress(stored, prefix, chunk);
  if (stored.size() != chunk.size()) {
    return fail(ErrorCode::kDamaged, "a raw chunk has the wrong length");
  }
  std::ranges::copy(stored, chunk.begin());
  return {};
}

}  // namespace finedelta
