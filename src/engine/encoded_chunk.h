// A chunk on its way from a worker to the archive.
#ifndef FINEDELTA_ENGINE_ENCODED_CHUNK_H_
#define FINEDELTA_ENGINE_ENCODED_CHUNK_H_

#include <cstdint>
#include <vector>

#include "archive/format.h"
#include "archive/writer.h"
#include "finedelta/result.h"
#include "lossy/error_report.h"

namespace finedelta {

// Results that wait for their turn to be written, for each worker.
inline constexpr uint64_t kWaiting = 2;

// zstd's tables at the levels in use for tensors.
inline constexpr uint64_t kEncoderState = uint64_t{3} << 20;

struct EncodedChunk {
  std::vector<std::byte> stored;
  archive::Chunk record;
  // In a lossy archive: what the chunk stands for, and how it differs from what was packed.
  std::vector<std::byte> result;
  bool exact = true;
  ErrorSums errors;

  // Fills in all of the record but the offset: `stored` is complete, `value` is what it stands
  // for.
  void seal(uint8_t coder, Bytes value);
};

// Appends the chunk to the archive and its record to the index.
Status append_chunk(const EncodedChunk& chunk, archive::Index& index, archive::Writer& writer);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_ENCODED_CHUNK_H_
