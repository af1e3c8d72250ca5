// A chunk on its way from a worker to the archive.
#ifndef FINEDELTA_ENGINE_ENCODED_CHUNK_H_
#define FINEDELTA_ENGINE_ENCODED_CHUNK_H_

#include <vector>

#include "archive/format.h"
#include "archive/writer.h"
#include "finedelta/result.h"

namespace finedelta {

struct EncodedChunk {
  std::vector<std::byte> stored;
  archive::Chunk record;

  // Fills in all of the record but the offset: `stored` is complete, `result` is what it stands
  // for.
  void seal(uint8_t coder, Bytes result);
};

// Appends the chunk to the archive and its record to the index.
Status append_chunk(const EncodedChunk& chunk, archive::Index& index, archive::Writer& writer);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_ENCODED_CHUNK_H_
