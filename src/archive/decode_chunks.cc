#include "archive/index_parts.h"
#include "side/side_codec.h"

namespace finedelta::archive {

namespace {

// Reads the sizes, which give the places: one chunk after another, filling payload and side.
void decode_sizes(RecordReader& reader, const Layout& layout, Index& index) {
  uint64_t offset = kHeaderSlot;
  for (uint64_t i = 0; i < index.chunks.size(); ++i) {
    const uint64_t size = reader.varint();
    if (size > layout.index_offset() - offset) {
      reader.reject("its chunks are larger than the archive");
    }
    if (!reader.ok()) return;
    index.chunks[i].offset = offset;
    index.chunks[i].size = static_cast<uint32_t>(size);
    if (index.chunks[i].size != size) reader.reject("a chunk is too large");
    offset += size;
    const bool payload_ends = i + 1 == index.tensor_chunks;
    if (payload_ends && offset != layout.side_offset()) {
      reader.reject("its chunks do not fill the payload");
    }
  }
  if (index.tensor_chunks == 0 && layout.payload_size != 0) {
    reader.reject("its chunks do not fill the payload");
  }
  if (offset != layout.index_offset()) reader.reject("its chunks do not fill the archive");
}

void decode_prefixes(RecordReader& reader, Index& index) {
  constexpr uint64_t kMapNode = 64;  // bytes
  for (uint64_t i = index.tensor_chunks; i < index.chunks.size() && reader.ok(); ++i) {
    if (index.chunks[i].coder != static_cast<uint8_t>(SideCoder::kPatch)) continue;
    reader.spend(kMapNode);
    Prefix prefix;
    prefix.offset = reader.varint();
    prefix.size = reader.varint();
    index.prefixes.emplace(i, prefix);
  }
}

}  // namespace

void decode_chunks(RecordReader& reader, const Layout& layout, Index& index) {
  const uint64_t number = chunk_count(index);
  constexpr uint64_t kLeastRecord = 2 + sizeof(Hash128);
  if (number > reader.remaining() / kLeastRecord) {
    reader.reject("it has fewer chunks than its tensors need");
    return;
  }
  reader.spend(number * sizeof(Chunk));
  if (!reader.ok()) return;
  index.chunks.resize(number);
  for (Chunk& chunk : index.chunks) chunk.coder = reader.u8();
  decode_sizes(reader, layout, index);
  decode_prefixes(reader, index);
  for (Chunk& chunk : index.chunks) {
    if (chunk.size > 0) chunk.stored_hash = reader.u64();
  }
  for (Chunk& chunk : index.chunks) chunk.result_hash.bytes = reader.array<16>();
}

}  // namespace finedelta::archive
