#include "archive/format.h"

#include <algorithm>
#include <tuple>

#include "safetensors/header.h"

namespace finedelta::archive {

uint64_t bundle_chunk_count(const Index& index) {
  return index.bundle_size / kSideChunk + (index.bundle_size % kSideChunk != 0 ? 1 : 0);
}

uint64_t chunk_count(const Index& index) {
  uint64_t number = index.tensor_chunks + bundle_chunk_count(index);
  for (const File& file : index.files) number += file.chunks;
  return number;
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
  std::vector<safetensors::Tensor> tensors;
  tensors.reserve(file.tensors.size());
  for (const Tensor& tensor : file.tensors) {
    tensors.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
  }
  return safetensors::canonical_header(file.metadata, tensors);
}

Hash128 base_identity(const Index& index, uint32_t base) {
  std::vector<const BaseTensor*> tensors;
  for (const BaseTensor& tensor : index.base_tensors) {
    if (tensor.base == base) tensors.push_back(&tensor);
  }
  std::ranges::sort(tensors, {}, [](const BaseTensor* tensor) {
    return std::tie(tensor->name, tensor->fingerprint.bytes);
  });
  Hasher128 hasher;
  for (const BaseTensor* tensor : tensors) {
    ByteWriter record;
    record.u64(tensor->name.size());
    record.bytes(as_bytes(tensor->name));
    record.bytes(tensor->fingerprint.bytes);
    hasher.update(record.view());
  }
  return hasher.digest();
}

}  // namespace finedelta::archive
