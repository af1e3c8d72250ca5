// The records of an archive's index, as they are in memory. docs/format.md, section 3, says how
// they are written; one struct here is one record there.
#ifndef FINEDELTA_ARCHIVE_FORMAT_H_
#define FINEDELTA_ARCHIVE_FORMAT_H_

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "coder/coder.h"
#include "lossy/error_report.h"
#include "numeric/dtype.h"
#include "predict/prediction.h"

namespace finedelta::archive {

inline constexpr uint8_t kChunkLog2 =
    std::bit_width(kChunkUnits) - 1;  // of a tensor, in units; what pack writes
inline constexpr uint8_t kLeastChunkLog2 = 12;
inline constexpr uint8_t kLargestChunkLog2 = 20;
inline constexpr uint64_t kSideChunk = uint64_t{1} << 20;  // bytes

inline constexpr uint64_t kLargestEmbedded = 16383;  // bytes

// Of a file, and of all together; sums of two such numbers do not overflow.
inline constexpr uint64_t kLargestTotal = uint64_t{1} << 62;

inline constexpr uint64_t kLargestFactors = uint64_t{1} << 30;  // bytes, stored

inline constexpr uint64_t kFingerprintBlock = uint64_t{1} << 20;  // bytes
inline constexpr uint64_t kSampleSize = 65536;                    // bytes

struct Base {
  std::string name;
  std::string revision;
  Hash128 identity;
};

struct BaseTensor {
  uint32_t base = 0;
  std::string name;
  DType dtype = DType::kU8;
  std::vector<uint64_t> shape;
  Hash128 fingerprint;
  uint64_t sample = 0;
};

struct BaseFile {
  uint32_t base = 0;
  std::string path;
  uint64_t size = 0;
  Hash128 hash;
};

// The factors of a low-rank prediction, as they are stored: predict/low_rank/spec.md.
struct StoredFactors {
  uint64_t offset = 0;  // in the file; not written
  uint64_t size = 0;    // bytes; 0 for other predictors
  uint64_t hash = 0;    // XXH3-64
};

struct Tensor {
  std::string name;
  DType dtype = DType::kU8;
  std::vector<uint64_t> shape;
  Prediction<uint32_t> prediction;   // from Index::base_tensors
  StoredFactors factors;             // they come before the tensor's chunks
  std::optional<ErrorReport> error;  // of a tensor of a lossy archive that is not exact

  // Not written; they follow from the records.
  uint64_t offset = 0;  // in its file
  uint64_t bytes = 0;
  uint64_t first_chunk = 0;  // index into Index::chunks
  uint64_t chunks = 0;
  uint64_t first_rest = 0;  // index into Index::rest, of a lossy tensor of a progressive archive
};

enum class FileKind : uint8_t {
  kShard = 0,
  kStored = 1,
  kPatch = 2,
  kEmbedded = 3,
  kReference = 4,
  kEmptyDirectory = 5,
};

struct File {
  std::string path;
  FileKind kind = FileKind::kStored;
  bool executable = false;
  uint64_t size = 0;       // for shards and references it follows from other records
  uint32_t base_file = 0;  // kPatch, kReference
  bool canonical_header = false;
  std::string metadata;         // kShard, canonical header
  std::string header;           // kShard, other header
  std::vector<Tensor> tensors;  // kShard
  Sha256 sha256;                // all but kEmptyDirectory
  Sha256 original_sha256;       // kShard of a lossy archive: of what was packed

  // Not written: the chunks of a stored or patch file; the place of an embedded one in the bundle.
  uint64_t first_chunk = 0;
  uint64_t chunks = 0;
  uint64_t bundle_offset = 0;
};

struct Chunk {
  uint64_t offset = 0;  // of the stored bytes, in the file; not written
  uint32_t size = 0;    // of the stored bytes
  uint8_t coder = 0;
  uint64_t stored_hash = 0;  // meaningless where size is 0
  Hash128 result_hash;
};

// The part of a base file that a patch chunk was made against.
struct Prefix {
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct Index {
  bool single_file = false;
  bool lossy = false;
  uint8_t chunk_log2 = kChunkLog2;
  std::vector<Base> bases;
  std::vector<BaseTensor> base_tensors;
  std::vector<BaseFile> base_files;
  std::vector<File> files;

  std::vector<Chunk> chunks;  // tensors', then the bundle's, then the stored and patch files'
  std::map<uint64_t, Prefix> prefixes;  // by chunk

  // Whether there is a second layer, which makes lossy tensors exact: its chunks, predicted from
  // those above, and how many bytes of the payload are theirs.
  bool progressive = false;
  std::vector<Chunk> rest;
  uint64_t rest_size = 0;

  // Not written; they follow from the records.
  uint64_t tensor_chunks = 0;  // how many of the chunks are in the payload
  uint64_t bundle_size = 0;    // bytes; its chunks come right after the tensors'

  // Not written, and unknown of an archive that is read: whether there are factors in the adaptive
  // code or chunks of coder 4. Where all that these stand for came out exactly, nothing is lossy.
  bool has_lossy_codes = false;
  bool has_newer_coders = false;  // likewise: chunks of coders that version 1 does not have

  // The format version that has all of this.
  [[nodiscard]] uint64_t version() const {
    return lossy || has_lossy_codes || has_newer_coders ? 2 : 1;
  }
  [[nodiscard]] uint64_t units_per_chunk() const { return uint64_t{1} << chunk_log2; }
};

// The quotient rounded up; `b` is not 0.
[[nodiscard]] constexpr uint64_t divide_up(uint64_t a, uint64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

// How many chunks there must be; `index` is complete but for `chunks`.
[[nodiscard]] uint64_t chunk_count(const Index& index);
[[nodiscard]] uint64_t bundle_chunk_count(const Index& index);

// Fills in the tensors' places in Index::rest, and says how many chunks that must have.
uint64_t place_rest(Index& index);

// The bytes that chunk `number` of a tensor, or of a side stream of `size` bytes, stands for.
[[nodiscard]] uint64_t chunk_bytes(const Index& index, const Tensor& tensor, uint64_t number);
[[nodiscard]] uint64_t side_chunk_bytes(uint64_t size, uint64_t number);

// The header of a shard as it is in the file.
[[nodiscard]] std::string shard_header(const File& file);

// The same with its length before it: all that is before the tensors' data.
[[nodiscard]] std::vector<std::byte> shard_start(const File& file);

// Whether that takes at most `limit` bytes; it takes no more memory to find out.
[[nodiscard]] bool shard_header_fits(const File& file, uint64_t limit);

// XXH3-128 over all base tensors of each base, whatever their order in the index.
[[nodiscard]] std::vector<Hash128> base_identities(const Index& index);

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_FORMAT_H_
