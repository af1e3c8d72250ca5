#include <algorithm>
#include <bit>

#include "archive/index.h"
#include "base/zstd.h"

namespace finedelta::archive {

namespace {

// The best level for indexes of ordinary size; a fast one where it would take seconds and much
// memory, for bodies that are mostly hashes.
int zstd_level(uint64_t body) { return body <= uint64_t{1} << 20 ? 19 : 3; }

void encode_shape(ByteWriter& out, const std::vector<uint64_t>& shape) {
  out.u8(static_cast<uint8_t>(shape.size()));
  for (const uint64_t dimension : shape) out.varint(dimension);
}

void encode_general(ByteWriter& out, const Index& index) {
  out.u8(static_cast<uint8_t>((index.single_file ? 1u : 0u) | (index.lossy ? 2u : 0u) |
                              (index.progressive ? 4u : 0u)));
  out.u8(index.chunk_log2);
  if (index.progressive) out.varint(index.rest_size);
}

void encode_bases(ByteWriter& out, const Index& index) {
  out.varint(index.bases.size());
  for (const Base& base : index.bases) {
    out.string(base.name);
    out.string(base.revision);
    out.bytes(base.identity.bytes);
  }
}

void encode_base_tensors(ByteWriter& out, const Index& index) {
  out.varint(index.base_tensors.size());
  for (const BaseTensor& tensor : index.base_tensors) {
    out.varint(tensor.base);
    out.string(tensor.name);
    out.u8(static_cast<uint8_t>(tensor.dtype));
    encode_shape(out, tensor.shape);
  }
  for (const BaseTensor& tensor : index.base_tensors) out.bytes(tensor.fingerprint.bytes);
  for (const BaseTensor& tensor : index.base_tensors) out.u64(tensor.sample);
}

void encode_base_files(ByteWriter& out, const Index& index) {
  out.varint(index.base_files.size());
  for (const BaseFile& file : index.base_files) {
    out.varint(file.base);
    out.string(file.path);
    out.varint(file.size);
    out.bytes(file.hash.bytes);
  }
}

void encode_tensor(ByteWriter& out, const Tensor& tensor) {
  out.string(tensor.name);
  out.u8(static_cast<uint8_t>(tensor.dtype));
  encode_shape(out, tensor.shape);
  out.u8(static_cast<uint8_t>(tensor.prediction.formula.predictor));
  for (const uint32_t base : tensor.prediction.bases()) out.varint(base);
  for (const float factor : tensor.prediction.formula.used_factors()) {
    out.u32(std::bit_cast<uint32_t>(factor));
  }
  if (tensor.prediction.formula.predictor == Predictor::kLowRank) {
    out.varint(tensor.factors.size);
    out.u64(tensor.factors.hash);
  }
}

void encode_file(ByteWriter& out, const File& file) {
  out.string(file.path);
  out.u8(static_cast<uint8_t>(static_cast<unsigned>(file.kind) | (file.executable ? 16u : 0u)));
  switch (file.kind) {
    case FileKind::kShard:
      out.u8(file.canonical_header ? 0 : 1);
      out.string(file.canonical_header ? file.metadata : file.header);
      out.varint(file.tensors.size());
      for (const Tensor& tensor : file.tensors) encode_tensor(out, tensor);
      break;
    case FileKind::kPatch:
      out.varint(file.size);
      out.varint(file.base_file);
      break;
    case FileKind::kStored:
    case FileKind::kEmbedded:
      out.varint(file.size);
      break;
    case FileKind::kReference:
      out.varint(file.base_file);
      break;
    case FileKind::kEmptyDirectory:
      break;
  }
}

// Column by column: what compresses stays apart from the hashes, which do not.
void encode_chunks(ByteWriter& out, const std::vector<Chunk>& chunks,
                   const std::map<uint64_t, Prefix>& prefixes) {
  for (const Chunk& chunk : chunks) out.u8(chunk.coder);
  for (const Chunk& chunk : chunks) out.varint(chunk.size);
  for (const auto& [chunk, prefix] : prefixes) {
    out.varint(prefix.offset);
    out.varint(prefix.size);
  }
  for (const Chunk& chunk : chunks) {
    if (chunk.size > 0) out.u64(chunk.stored_hash);
  }
  for (const Chunk& chunk : chunks) out.bytes(chunk.result_hash.bytes);
}

void encode_losses(ByteWriter& out, const Index& index) {
  for (const File& file : index.files) {
    if (file.kind == FileKind::kShard) out.bytes(file.original_sha256.bytes);
  }
  const auto for_each_tensor = [&index](const auto& use) {
    for (const File& file : index.files) std::ranges::for_each(file.tensors, use);
  };
  for_each_tensor([&out](const Tensor& tensor) { out.u8(tensor.error ? 1 : 0); });
  for_each_tensor([&out](const Tensor& tensor) {
    if (!tensor.error) return;
    for (const uint16_t number : pack_report(*tensor.error)) out.u16(number);
  });
}

std::vector<std::byte> encode_body(const Index& index) {
  ByteWriter out;
  encode_general(out, index);
  encode_bases(out, index);
  encode_base_tensors(out, index);
  encode_base_files(out, index);
  out.varint(0);  // tables
  out.varint(index.files.size());
  for (const File& file : index.files) encode_file(out, file);
  encode_chunks(out, index.chunks, index.prefixes);
  for (const File& file : index.files) {
    if (file.kind != FileKind::kEmptyDirectory) out.bytes(file.sha256.bytes);
  }
  if (index.lossy) encode_losses(out, index);
  if (index.progressive) encode_chunks(out, index.rest, {});
  return out.take();
}

}  // namespace

std::vector<std::byte> encode_index(const Index& index) {
  const std::vector<std::byte> body = encode_body(index);
  std::vector<std::byte> stored(sizeof(Hash128) + sizeof(uint64_t));
  store(stored.data() + sizeof(Hash128), uint64_t{body.size()});
  ZstdEncoder().compress(body, zstd_level(body.size()), {}, stored);
  store(stored.data(), xxh3_128(Bytes(stored).subspan(sizeof(Hash128))));
  return stored;
}

}  // namespace finedelta::archive
