// A small archive that holds every kind of file, every coder and every predictor, in a form that
// tests can change before it is sealed.
#ifndef FINEDELTA_TESTS_CORRUPT_SAMPLE_H_
#define FINEDELTA_TESTS_CORRUPT_SAMPLE_H_

#include <string>
#include <string_view>
#include <vector>

#include "archive/format.h"
#include "support/temp_dir.h"

namespace finedelta::corrupt {

// The sample's chunks in order: tensors, bundle, patch file, stored files.
enum SampleChunk : size_t {
  kPlanesChunk,   // "a": 64 units of 4 bytes; planes raw, zstd, constant, constant
  kSameChunk,     // "b": identical to its base
  kCastChunk,     // "c": BF16, predicted from F32
  kRawChunk,      // "d": not predicted
  kResizedChunk,  // "f": longer than its base
  kOddChunk,      // of the shard with an unusual header
  kBundleChunk,   // zstd
  kPatchChunk,
  kZstdChunk,  // of notes.txt, kNotesSize bytes
  kSideRawChunk,
  kSampleChunks,
};
inline constexpr size_t kNotesSize = 600;

struct Parts {
  archive::Index index;
  std::vector<std::string> stored;  // the stored bytes by chunk
  std::string factors;              // of "b", where set_factors gave it some
  std::string rest;                 // of the second layer, where there is one

  // Changes the stored bytes of a chunk, and size and hash in its record.
  void set_stored(size_t chunk, std::string bytes);

  // Predicts "b", BF16 of shape [2, 8], from its base and the record of these factors.
  void set_factors(std::string record);
  [[nodiscard]] archive::Tensor& low_rank_tensor();  // "b"

  // Adds a second layer in which "b", lossy, is `result`: one chunk.
  void add_rest(uint8_t coder, std::string bytes, std::string_view result);
  // Changes the stored bytes of that chunk, and all that is recorded of them.
  void set_rest(std::string bytes);
};

// The sound archive.
[[nodiscard]] Parts sample_parts();

// The data of a tensor of the base that it was made from.
[[nodiscard]] std::string sample_base_tensor(std::string_view name);

// Writes the base that it was made from to the folder "base" and returns its path.
std::string write_sample_base(const TempDir& dir);

// The body of an index, before compression.
[[nodiscard]] std::string body_of(const archive::Index& index);

// Stored bytes of payload and side files, and the body of an index, before compression.
struct Regions {
  std::string payload;
  std::string side;
  std::string body;
  uint64_t version = 1;  // of the format, and the oldest that a reader must know
};
[[nodiscard]] Regions regions_of(const Parts& parts);

// The archive around them, its hashes in order.
[[nodiscard]] std::string seal(const Regions& regions);

// The same for an index as it is stored: hash, length and frame, which need not be sound.
[[nodiscard]] std::string seal_index(std::string_view payload, std::string_view side,
                                     std::string_view index, uint64_t version = 1);

// An index of that frame and that length of its body; only the hash is right.
[[nodiscard]] std::string index_of_frame(std::string_view frame, uint64_t body_size);

// One zstd frame.
[[nodiscard]] std::string frame_of(std::string_view data, std::string_view prefix = {});

// A frame of `size` zero bytes; `head` is its header from the descriptor on.
[[nodiscard]] std::string zeros_frame(std::string_view head, size_t size);

// One with a window of 16 MiB.
[[nodiscard]] std::string wide_frame(size_t size);

}  // namespace finedelta::corrupt

#endif  // FINEDELTA_TESTS_CORRUPT_SAMPLE_H_
