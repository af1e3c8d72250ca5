#include "archive/index.h"
#include "base/error.h"
#include "safetensors/header.h"

namespace finedelta::archive {

namespace {

Status too_large(std::string_view path) {
  return fail(ErrorCode::kDamaged, "file {} is impossibly large", quote(path));
}

Status complete_shard(Index& index, File& file) {
  uint64_t offset = safetensors::kLengthSize + shard_header(file).size();
  for (Tensor& tensor : file.tensors) {
    const auto bytes = safetensors::tensor_bytes(tensor.dtype, tensor.shape);
    if (!bytes) {
      return fail(ErrorCode::kDamaged, "tensor {} has an impossible shape", quote(tensor.name));
    }
    tensor.offset = offset;
    tensor.bytes = *bytes;
    tensor.first_chunk = index.tensor_chunks;
    tensor.chunks = divide_up(*bytes / dtype_unit(tensor.dtype), index.units_per_chunk());
    index.tensor_chunks += tensor.chunks;
    if (*bytes > kLargestTotal || (offset += *bytes) > kLargestTotal) return too_large(file.path);
  }
  file.size = offset;
  return {};
}

}  // namespace

Status complete(Index& index) {
  index.tensor_chunks = 0;
  index.bundle_size = 0;
  uint64_t total = 0;
  for (File& file : index.files) {
    if (file.kind == FileKind::kShard) FINEDELTA_CHECK(complete_shard(index, file));
    if (file.kind == FileKind::kReference) file.size = index.base_files[file.base_file].size;
    if (file.size > kLargestTotal || (total += file.size) > kLargestTotal) {
      return too_large(file.path);
    }
    if (file.kind == FileKind::kEmbedded) {
      file.bundle_offset = index.bundle_size;
      index.bundle_size += file.size;
    }
  }
  uint64_t next = index.tensor_chunks + bundle_chunk_count(index);
  for (File& file : index.files) {
    if (file.kind != FileKind::kStored && file.kind != FileKind::kPatch) continue;
    file.first_chunk = next;
    file.chunks = divide_up(file.size, kSideChunk);
    next += file.chunks;
  }
  return {};
}

}  // namespace finedelta::archive
