#include "engine/encoded_chunk.h"

namespace finedelta {

void EncodedChunk::seal(uint8_t coder, Bytes value) {
  record.coder = coder;
  record.size = static_cast<uint32_t>(stored.size());
  record.stored_hash = xxh3_64(stored);
  record.result_hash = xxh3_128(value);
}

Status append_chunk(const EncodedChunk& chunk, archive::Index& index, archive::Writer& writer) {
  index.chunks.push_back(chunk.record);
  return writer.append(chunk.stored);
}

}  // namespace finedelta
