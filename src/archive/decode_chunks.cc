#include "archive/index_parts.h"
#include "side/side_codec.h"

namespace finedelta::archive {

namespace {

// Reads the sizes, which give the places: one chunk after another, filling payload and side.
class Places {
 public:
  Places(RecordReader& reader, const Layout& layout, Index& index)
      : reader_(reader), layout_(layout), index_(index) {}

  void decode() {
    uint64_t next = 0;
    for (File& file : index_.files) {
      for (Tensor& tensor : file.tensors) {
        place_factors(tensor);
        for (; next < tensor.first_chunk + tensor.chunks && reader_.ok(); ++next) place_chunk(next);
      }
    }
    if (offset_ != layout_.side_offset()) reader_.reject("its chunks do not fill the payload");
    for (; next < index_.chunks.size() && reader_.ok(); ++next) place_chunk(next);
    if (offset_ != layout_.index_offset()) reader_.reject("its chunks do not fill the archive");
  }

 private:
  void place_factors(Tensor& tensor) {
    if (tensor.factors.size > layout_.index_offset() - offset_) {
      reader_.reject("its chunks are larger than the archive");
      return;
    }
    tensor.factors.offset = offset_;
    offset_ += tensor.factors.size;
  }

  void place_chunk(uint64_t number) {
    const uint64_t size = reader_.varint();
    if (size > layout_.index_offset() - offset_) {
      reader_.reject("its chunks are larger than the archive");
    }
    if (!reader_.ok()) return;
    Chunk& chunk = index_.chunks[number];
    chunk.offset = offset_;
    chunk.size = static_cast<uint32_t>(size);
    if (chunk.size != size) reader_.reject("a chunk is too large");
    offset_ += size;
  }

  RecordReader& reader_;
  const Layout& layout_;
  Index& index_;
  uint64_t offset_ = kHeaderSlot;
};

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
  Places(reader, layout, index).decode();
  decode_prefixes(reader, index);
  for (Chunk& chunk : index.chunks) {
    if (chunk.size > 0) chunk.stored_hash = reader.u64();
  }
  for (Chunk& chunk : index.chunks) chunk.result_hash.bytes = reader.array<16>();
}

}  // namespace finedelta::archive
