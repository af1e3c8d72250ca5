#include "coder/raw/raw.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

std::optional<uint64_t> analyze_raw(const ChunkInput& chunk, CoderScratch& /*scratch*/) {
  return chunk.estimated_units() * chunk.unit();
}

void encode_raw(const ChunkInput& chunk, CoderScratch& /*scratch*/,
                std::vector<std::byte>& stored) {
  stored.insert(stored.end(), chunk.value.begin(), chunk.value.end());
}

Status decode_raw(Bytes stored, DType /*dtype*/, Bytes /*prediction*/, MutableBytes value,
                  CoderScratch& /*scratch*/) {
  if (stored.size() != value.size()) {
    return fail(ErrorCode::kDamaged, "a raw chunk has the wrong length");
  }
  std::ranges::copy(stored, value.begin());
  return {};
}

}  // namespace finedelta
