#include "archive/format.h"

#include <algorithm>
#include <tuple>

#include "safetensors/header.h"

namespace finedelta::archive {

uint64_t bundle_chunk_count(const Index& index) { return divide_up(index.bundle_size, kSideChunk); }

uint64_t chunk_count(const Index& index) {
  uint64_t number = index.tensor_chunks + bundle_chunk_count(index);
  for (const File& file : index.files) number += file.chunks;
  return number;
}

uint64_t place_rest(Index& index) {
  uint64_t next = 0;
  for (File& file : index.files) {
    for (Tensor& tensor : file.tensors) {
      tensor.first_rest = next;
      if (index.progressive && tensor.error) next += tensor.chunks;
    }
  }
  return next;
}

uint64_t chunk_bytes(const Index& index, const Tensor& tensor, uint64_t number) {
  const uint64_t whole = index.units_per_chunk() * dtype_unit(tensor.dtype);
  return std::min(whole, tensor.bytes - number * whole);
}

uint64_t side_chunk_bytes(uint64_t size, uint64_t number) {
  return std::min(kSideChunk, size - number * kSideChunk);
}

std::string shard_header(const File& file) {
  if (!file.canonical_header) return file.header;
  safetensors::CanonicalHeader header(file.metadata);
  for (const Tensor& tensor : file.tensors) header.add(tensor.name, tensor.dtype, tensor.shape);
  return header.finish();
}

std::vector<std::byte> shard_start(const File& file) {
  return safetensors::file_start(shard_header(file));
}

bool shard_header_fits(const File& file, uint64_t limit) {
  if (!file.canonical_header) return file.header.size() <= limit;
  safetensors::CanonicalHeader header(file.metadata);
  for (const Tensor& tensor : file.tensors) {
    header.add(tensor.name, tensor.dtype, tensor.shape);
    if (header.size() > limit) return false;
  }
  return header.finish().size() <= limit;
}

std::vector<Hash128> base_identities(const Index& index) {
  std::vector<const BaseTensor*> tensors;
  tensors.reserve(index.base_tensors.size());
  for (const BaseTensor& tensor : index.base_tensors) tensors.push_back(&tensor);
  std::ranges::sort(tensors, {}, [](const BaseTensor* tensor) {
    return std::tie(tensor->base, tensor->name, tensor->fingerprint.bytes);
  });
  std::vector<Hash128> identities;
  auto next = tensors.begin();
  for (uint32_t base = 0; base < index.bases.size(); ++base) {
    Hasher128 hasher;
    for (; next != tensors.end() && (*next)->base == base; ++next) {
      ByteWriter record;
      record.u64((*next)->name.size());
      record.bytes(as_bytes((*next)->name));
      record.bytes((*next)->fingerprint.bytes);
      hasher.update(record.view());
    }
    identities.push_back(hasher.digest());
  }
  return identities;
}

}  // namespace finedelta::archive
