#include "archive/fingerprint.h"

#include <algorithm>

#include "archive/format.h"

namespace finedelta::archive {

Fingerprint::Fingerprint(DType dtype, std::span<const uint64_t> shape) {
  ByteWriter head;
  head.u8(static_cast<uint8_t>(dtype));
  head.u8(static_cast<uint8_t>(shape.size()));
  for (const uint64_t dimension : shape) head.u64(dimension);
  hasher_.update(head.view());
}

uint64_t fingerprint_blocks(uint64_t bytes) { return divide_up(bytes, kFingerprintBlock); }

SampleRange sample_range(uint64_t bytes) {
  const uint64_t size = std::min(bytes, kSampleSize);
  return {.offset = (bytes - size) / 2, .size = size};
}

}  // namespace finedelta::archive
