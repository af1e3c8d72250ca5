// Residual coders: how the bytes of one chunk of a tensor are written, given a prediction of them.
//
// Each coder has a folder of its own with its specification; registry.cc lists them. A new coder
// gets its round-trip, corruption and fuzz tests by being listed there, if it is not a lossy one.
#ifndef FINEDELTA_CODER_CODER_H_
#define FINEDELTA_CODER_CODER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/zstd.h"
#include "coder/sparse/units.h"
#include "coder/wavelet/scratch.h"
#include "finedelta/options.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"

namespace finedelta {

// What pack makes chunks of: so many units. The last one of a tensor may be smaller.
inline constexpr uint64_t kChunkUnits = uint64_t{1} << 18;

// One chunk of a tensor of type `dtype`: `value.size()` is over 0 and a multiple of the type's
// unit; `prediction` has the same size, or is empty where there is none (it then counts as zero
// bytes).
struct ChunkInput {
  DType dtype = DType::kU8;
  Bytes value;
  Bytes prediction;
  size_t whole_units = 0;  // where it is a sample of a chunk, the units of that; for `analyze` only

  [[nodiscard]] size_t estimated_units() const { return whole_units > 0 ? whole_units : units(); }
  [[nodiscard]] size_t unit() const { return dtype_unit(dtype); }
  [[nodiscard]] size_t units() const { return value.size() / unit(); }
};

// What a coder may use while it works; one for each thread.
struct CoderScratch {
  int level = kDefaultLevel;  // how much time to take: finedelta/options.h
  ZstdEncoder encoder;
  ZstdDecoder decoder;
  std::vector<std::byte> planes;
  std::vector<int16_t> steps;
  SparseUnits sparse;
  SparseNumbers sparse_numbers;
  wavelet::Scratch wavelet;
};

struct Coder {
  uint8_t id;             // in the archive
  std::string_view name;  // for people
  bool uses_prediction;   // whether `decode` looks at it

  // About how many bytes `encode` would write, at a fraction of its cost; nothing where the coder
  // does not fit this chunk.
  std::optional<uint64_t> (*analyze)(const ChunkInput& chunk, CoderScratch& scratch);

  // Appends the stored bytes to `stored`. Only for the chunk that `analyze` accepted last, with the
  // same scratch. The same input gives the same bytes on every CPU.
  void (*encode)(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored);

  // Fills `value` from bytes that nobody vouches for. kDamaged with a reason, without names, when
  // they are not what `encode` can write; `value` then holds anything. A wrong prediction is not
  // noticed here: the caller compares the hash of `value`.
  Status (*decode)(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                   CoderScratch& scratch);

  // Written in lossy archives only, from chunks that become what it can say: `analyze` never
  // accepts one.
  bool lossy = false;

  // The version of the format that readers know it from.
  uint64_t since = 1;
};

// All coders, in order of their ids, which are their places.
[[nodiscard]] std::span<const Coder> coders();

// The coder with the smallest estimate (the first among equals) and that estimate.
struct CoderChoice {
  const Coder* coder;
  uint64_t estimate;
};
[[nodiscard]] CoderChoice choose_coder(const ChunkInput& chunk, CoderScratch& scratch);

// Encodes with the chosen coder, or raw where that turns out smaller. Returns the coder used.
const Coder& encode_chunk(const ChunkInput& chunk, CoderScratch& scratch,
                          std::vector<std::byte>& stored);

}  // namespace finedelta

#endif  // FINEDELTA_CODER_CODER_H_
