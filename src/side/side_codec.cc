#include "side/side_codec.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

namespace {

constexpr uint64_t kMargin = uint64_t{1} << 20;

}  // namespace

PrefixRange prefix_range(uint64_t offset, uint64_t size, uint64_t new_size, uint64_t base_size) {
  const auto clip = [&](int64_t at) {
    return std::clamp<int64_t>(at, 0, static_cast<int64_t>(base_size));
  };
  const auto shift = static_cast<int64_t>(base_size) - static_cast<int64_t>(new_size);
  const auto margin = static_cast<int64_t>(kMargin);
  const auto from = static_cast<int64_t>(offset);
  const auto to = static_cast<int64_t>(offset + size);
  // Files that differ in length by more than the margin are not worth looking at from both ends.
  const int64_t used_shift = std::abs(shift) <= margin ? shift : 0;
  const int64_t begin = clip(std::min(from, from + used_shift) - margin);
  const int64_t end = clip(std::max(to, to + used_shift) + margin);
  return {.offset = static_cast<uint64_t>(begin),
          .size = std::min(static_cast<uint64_t>(end - begin), kLargestPrefix)};
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
