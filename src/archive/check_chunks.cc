#include "archive/index_parts.h"
#include "base/error.h"
#include "coder/coder.h"
#include "coder/identical/identical.h"
#include "coder/raw/raw.h"
#include "side/side_codec.h"

namespace finedelta::archive {

namespace {

std::unexpected<Error> unknown_coder() { return fail(ErrorCode::kDamaged, "a coder is unknown"); }

Status check_size(bool fits) {
  if (fits) return {};
  return fail(ErrorCode::kDamaged, "a chunk has a size that its coder does not allow");
}

// What every coder but the simplest must keep to; `result` is what the chunk stands for.
bool is_smaller(const Chunk& chunk, uint64_t result) {
  return chunk.size > 0 && chunk.size < result;
}

bool is_known(uint8_t coder, const Layout& layout) {
  return coder < coders().size() && coders()[coder].since <= layout.oldest_reader;
}

Status check_tensor_chunk(const Layout& layout, const Chunk& chunk, uint64_t result) {
  if (!is_known(chunk.coder, layout)) return unknown_coder();
  if (chunk.coder == kRawCoder.id) return check_size(chunk.size == result);
  if (chunk.coder == kIdenticalCoder.id) return check_size(chunk.size == 0);
  return check_size(is_smaller(chunk, result));
}

// `file` is the patched file that the chunk belongs to, if any.
Status check_prefix(const Index& index, uint64_t number, const File* file) {
  if (!file || file->kind != FileKind::kPatch) {
    return fail(ErrorCode::kDamaged, "a patch belongs to no patched file");
  }
  const Prefix& prefix = index.prefixes.at(number);
  const uint64_t size = index.base_files[file->base_file].size;
  if (prefix.size > kLargestPrefix || prefix.offset > size || prefix.size > size - prefix.offset) {
    return fail(ErrorCode::kDamaged, "a patch leaves its base file");
  }
  return {};
}

Status check_side_chunk(const Index& index, uint64_t number, const File* file, uint64_t result) {
  const Chunk& chunk = index.chunks[number];
  switch (static_cast<SideCoder>(chunk.coder)) {
    case SideCoder::kRaw:
      return check_size(chunk.size == result);
    case SideCoder::kZstd:
      return check_size(is_smaller(chunk, result));
    case SideCoder::kPatch:
      FINEDELTA_CHECK(check_prefix(index, number, file));
      return check_size(is_smaller(chunk, result));
  }
  return unknown_coder();
}

Status check_tensors(const Layout& layout, const Index& index) {
  for (const File& file : index.files) {
    for (const Tensor& tensor : file.tensors) {
      for (uint64_t i = 0; i < tensor.chunks; ++i) {
        const uint64_t bytes = chunk_bytes(index, tensor, i);
        FINEDELTA_CHECK(check_tensor_chunk(layout, index.chunks[tensor.first_chunk + i], bytes));
        if (!index.progressive || !tensor.error) continue;
        const Chunk& exact = index.rest[tensor.first_rest + i];
        FINEDELTA_CHECK(check_tensor_chunk(layout, exact, bytes));
        if (coders()[exact.coder].lossy) return unknown_coder();
      }
    }
  }
  return {};
}

}  // namespace

Status check_chunks(const Layout& layout, const Index& index) {
  FINEDELTA_CHECK(check_tensors(layout, index));
  const uint64_t bundle_chunks = bundle_chunk_count(index);
  for (uint64_t i = 0; i < bundle_chunks; ++i) {
    FINEDELTA_CHECK(check_side_chunk(index, index.tensor_chunks + i, nullptr,
                                     side_chunk_bytes(index.bundle_size, i)));
  }
  for (const File& file : index.files) {
    for (uint64_t i = 0; i < file.chunks; ++i) {
      FINEDELTA_CHECK(
          check_side_chunk(index, file.first_chunk + i, &file, side_chunk_bytes(file.size, i)));
    }
  }
  return {};
}

}  // namespace finedelta::archive
