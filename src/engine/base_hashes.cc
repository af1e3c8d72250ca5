#include "engine/base_hashes.h"

#include <algorithm>
#include <vector>

#include "archive/fingerprint.h"
#include "archive/format.h"
#include "base/error.h"

namespace finedelta {

namespace {

uint64_t bytes_of(const safetensors::Tensor& tensor) { return tensor.end - tensor.begin; }

}  // namespace

Result<uint64_t> sample_hash(const Shard& shard, const safetensors::Tensor& tensor) {
  const archive::SampleRange range = archive::sample_range(bytes_of(tensor));
  std::vector<std::byte> sample(range.size);
  FINEDELTA_CHECK(shard.read(tensor, range.offset, sample));
  return xxh3_64(sample);
}

Result<Hash128> fingerprint_of(DType dtype, std::span<const uint64_t> shape, uint64_t size,
                               const std::function<Status(uint64_t offset, MutableBytes to)>& read,
                               const Cancellation* cancel) {
  archive::Fingerprint fingerprint(dtype, shape);
  std::vector<std::byte> block;
  for (uint64_t at = 0; at < size; at += archive::kFingerprintBlock) {
    if (cancel && cancel->cancelled()) return fail(ErrorCode::kCancelled, "interrupted");
    block.resize(std::min(archive::kFingerprintBlock, size - at));
    FINEDELTA_CHECK(read(at, block));
    fingerprint.add_block(xxh3_128(block));
  }
  return fingerprint.digest();
}

Result<Hash128> fingerprint_of(const Shard& shard, const safetensors::Tensor& tensor,
                               const Cancellation* cancel) {
  return fingerprint_of(
      tensor.dtype, tensor.shape, bytes_of(tensor),
      [&](uint64_t offset, MutableBytes to) { return shard.read(tensor, offset, to); }, cancel);
}

}  // namespace finedelta
