#include "finedelta/measure.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/thread_count.h"
#include "base/threads.h"
#include "coder/coder.h"
#include "engine/resources.h"
#include "kernels/cast.h"
#include "kernels/residual.h"
#include "kernels/target.h"

namespace finedelta {

namespace {

constexpr size_t kRoomBesides = 4096;  // bytes of a chunk's code above those of the chunk, at most

struct Piece {
  DType dtype = DType::kF32;
  Bytes base;
  Bytes value;
  // What became of it.
  std::vector<std::byte> stored;
  uint8_t coder = 0;
  uint64_t stored_hash = 0;
  Hash128 hash;
};

// What one thread works with.
struct Bench {
  CoderScratch scratch;
  std::vector<std::byte> out;
};

Result<DType> dtype_of(const TensorPair& pair) {
  const auto dtype = dtype_from_name(pair.dtype);
  if (!dtype || !is_castable(*dtype)) {
    return fail(ErrorCode::kUsage, "type {} is not F16, BF16 or F32", quote(pair.dtype));
  }
  if (pair.base.size() != pair.fine_tune.size() || pair.base.size() % dtype_unit(*dtype) != 0) {
    return fail(ErrorCode::kUsage, "tensors of {} and {} bytes are none of one shape",
                pair.base.size(), pair.fine_tune.size());
  }
  return *dtype;
}

Result<std::vector<Piece>> cut(std::span<const TensorPair> pairs) {
  std::vector<Piece> pieces;
  for (const TensorPair& pair : pairs) {
    FINEDELTA_ASSIGN(const DType dtype, dtype_of(pair));
    const size_t step = kChunkUnits * dtype_unit(dtype);
    for (size_t at = 0; at < pair.base.size(); at += step) {
      const size_t size = std::min(step, pair.base.size() - at);
      pieces.push_back({.dtype = dtype,
                        .base = pair.base.subspan(at, size),
                        .value = pair.fine_tune.subspan(at, size)});
      // Room that has been touched: pages that the system makes while something is timed took a
      // third of the time of compressing, which `pack` does into buffers that it has.
      pieces.back().stored.resize(size + kRoomBesides);
      pieces.back().stored.clear();
    }
  }
  return pieces;
}

Status take_difference(const Piece& piece, Bench& bench) {
  const unsigned unit = dtype_unit(piece.dtype);
  bench.out.resize(piece.value.size());
  make_differences(unit, piece.value.data(), piece.base.data(), piece.value.size() / unit,
                   bench.out.data());
  return {};
}

Status compress(Piece& piece, Bench& bench) {
  const ChunkInput chunk{.dtype = piece.dtype, .value = piece.value, .prediction = piece.base};
  piece.coder = encode_chunk(chunk, bench.scratch, piece.stored).id;
  piece.stored_hash = xxh3_64(piece.stored);
  piece.hash = xxh3_128(piece.value);
  return {};
}

Status decompress(const Piece& piece, Bench& bench) {
  bench.out.resize(piece.value.size());
  if (xxh3_64(piece.stored) != piece.stored_hash) {
    return fail(ErrorCode::kFailure, "what was compressed changed in memory");
  }
  FINEDELTA_CHECK(coders()[piece.coder].decode(piece.stored, piece.dtype, piece.base, bench.out,
                                               bench.scratch));
  if (xxh3_128(bench.out) == piece.hash) return {};
  return fail(ErrorCode::kFailure, "a chunk does not come out as it was: this is a defect");
}

// Runs `work(piece, bench)` on all pieces, and says how long that took.
template <typename Work>
Result<double> timed(std::vector<Piece>& pieces, std::vector<Bench>& benches,
                     const Cancellation* cancel, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  FINEDELTA_CHECK(
      parallel_for(pieces.size(), static_cast<unsigned>(benches.size()), cancel,
                   [&](uint64_t i, unsigned worker) { return work(pieces[i], benches[worker]); }));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Result<Measurement> measure(std::span<const TensorPair> pairs, const MeasureOptions& options) {
  return guarded([&]() -> Result<Measurement> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_CHECK(check_level(options.level));
    FINEDELTA_ASSIGN(std::vector<Piece> pieces, cut(pairs));
    std::vector<Bench> benches(options.threads > 0 ? options.threads : default_threads());
    for (Bench& bench : benches) bench.scratch.level = options.level;
    Measurement out{.target = active_target()};
    FINEDELTA_ASSIGN(out.delta_seconds, timed(pieces, benches, options.cancel, take_difference));
    FINEDELTA_ASSIGN(out.compress_seconds, timed(pieces, benches, options.cancel, compress));
    FINEDELTA_ASSIGN(out.decompress_seconds, timed(pieces, benches, options.cancel, decompress));
    for (const Piece& piece : pieces) {
      out.bytes += piece.value.size();
      out.stored_bytes += piece.stored.size();
    }
    return out;
  });
}

}  // namespace finedelta
