#include "coder/identical/identical.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

namespace {

bool equal(Bytes a, Bytes b) { return std::memcmp(a.data(), b.data(), a.size()) == 0; }

bool is_zero(Bytes bytes) {
  return bytes[0] == std::byte{0} && equal(bytes.first(bytes.size() - 1), bytes.subspan(1));
}

}  // namespace

std::optional<uint64_t> analyze_identical(const ChunkInput& chunk, CoderScratch& /*scratch*/) {
  const bool fits =
      chunk.prediction.empty() ? is_zero(chunk.value) : equal(chunk.value, chunk.prediction);
  return fits ? std::optional<uint64_t>(0) : std::nullopt;
}

void encode_identical(const ChunkInput& /*chunk*/, CoderScratch& /*scratch*/,
                      std::vector<std::byte>& /*stored*/) {}

Status decode_identical(Bytes stored, DType /*dtype*/, Bytes prediction, MutableBytes value,
                        CoderScratch& /*scratch*/) {
  if (!stored.empty()) {
    return fail(ErrorCode::kDamaged, "an identical chunk has stored bytes");
  }
  if (prediction.empty()) {
    std::ranges::fill(value, std::byte{0});
  } else {
    std::ranges::copy(prediction, value.begin());
  }
  return {};
}

}  // namespace finedelta
