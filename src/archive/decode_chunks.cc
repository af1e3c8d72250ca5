#include <span>
#include <string_view>

#include "archive/index_parts.h"
#include "side/side_codec.h"

namespace finedelta::archive {

namespace {

// Reads the sizes, which give the places: one chunk after another, from `begin` on and filling the
// archive up to the index, or less.
class Places {
 public:
  Places(RecordReader& reader, const Layout& layout, uint64_t begin)
      : reader_(reader), end_(layout.index_offset()), offset_(begin) {}

  void place(StoredFactors& factors) {
    if (factors.size > end_ - offset_) {
      reader_.reject("its chunks are larger than the archive");
      return;
    }
    factors.offset = offset_;
    offset_ += factors.size;
  }

  void place(std::span<Chunk> chunks) {
    for (Chunk& chunk : chunks) {
      if (reader_.ok()) place(chunk);
    }
  }

  // That is where the next one begins; `what` is said if not. Goes on at `next`.
  void expect(uint64_t offset, std::string_view what, uint64_t next) {
    if (offset_ != offset) reader_.reject(what);
    offset_ = next;
  }

 private:
  void place(Chunk& chunk) {
    const uint64_t size = reader_.varint();
    if (size > end_ - offset_) reader_.reject("its chunks are larger than the archive");
    if (!reader_.ok()) return;
    chunk.offset = offset_;
    chunk.size = static_cast<uint32_t>(size);
    if (chunk.size != size) reader_.reject("a chunk is too large");
    offset_ += size;
  }

  RecordReader& reader_;
  uint64_t end_;
  uint64_t offset_;
};

// So many chunks, with their coders. False where there can't be so many.
bool begin_chunks(RecordReader& reader, uint64_t number, std::vector<Chunk>& chunks) {
  constexpr uint64_t kLeastRecord = 2 + sizeof(Hash128);
  if (number > reader.remaining() / kLeastRecord) {
    reader.reject("it has fewer chunks than its tensors need");
    return false;
  }
  reader.spend(number * sizeof(Chunk));
  if (!reader.ok()) return false;
  chunks.resize(number);
  for (Chunk& chunk : chunks) chunk.coder = reader.u8();
  return true;
}

void decode_hashes(RecordReader& reader, std::vector<Chunk>& chunks) {
  for (Chunk& chunk : chunks) {
    if (chunk.size > 0) chunk.stored_hash = reader.u64();
  }
  for (Chunk& chunk : chunks) chunk.result_hash.bytes = reader.array<16>();
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
  if (!begin_chunks(reader, chunk_count(index), index.chunks)) return;
  Places places(reader, layout, kHeaderSlot);
  const std::span<Chunk> chunks(index.chunks);
  for (File& file : index.files) {
    for (Tensor& tensor : file.tensors) {
      places.place(tensor.factors);
      places.place(chunks.subspan(tensor.first_chunk, tensor.chunks));
    }
  }
  const uint64_t side = layout.side_offset();
  places.expect(side - index.rest_size, "its chunks do not fill the payload", side);
  places.place(chunks.subspan(index.tensor_chunks));
  places.expect(layout.index_offset(), "its chunks do not fill the archive", 0);
  decode_prefixes(reader, index);
  decode_hashes(reader, index.chunks);
}

void decode_rest(RecordReader& reader, const Layout& layout, Index& index) {
  if (!begin_chunks(reader, place_rest(index), index.rest)) return;
  const uint64_t side = layout.side_offset();
  Places places(reader, layout, side - index.rest_size);
  places.place(index.rest);
  places.expect(side, "its second layer does not fill the payload", 0);
  decode_hashes(reader, index.rest);
}

}  // namespace finedelta::archive
