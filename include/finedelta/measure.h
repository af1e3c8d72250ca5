// How fast the parts of packing and unpacking are on this machine, in memory.
#ifndef FINEDELTA_MEASURE_H_
#define FINEDELTA_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// A tensor of a fine-tune and the base's of the same type and shape.
struct TensorPair {
  std::string dtype;  // F16, BF16 or F32
  std::span<const std::byte> base;
  std::span<const std::byte> fine_tune;
};

struct MeasureOptions : Options {
  int level = kDefaultLevel;  // as of PackOptions
};

struct Measurement {
  uint64_t bytes = 0;         // of the fine-tune's tensors
  uint64_t stored_bytes = 0;  // of their chunks, without hashes and index
  // Wall-clock time, of all tensors. The delta: every element's difference as an integer, chunk by
  // chunk. Compressing: choosing how to code each chunk, coding it, and hashing what went in and
  // what came out, as `pack` does. Decompressing: decoding, and comparing both hashes.
  double delta_seconds = 0;
  double compress_seconds = 0;
  double decompress_seconds = 0;
  std::string target;  // which instruction set the kernels ran on: "AVX2"
};

// Compresses every tensor against its base as it is (no factors, nothing of low rank), decompresses
// it again and compares every byte; with `threads` threads, once. Everything stays in memory: the
// room for what is stored, as much again as the fine-tune's tensors, is made before anything is
// timed. kUsage for another type or sizes that differ, kCancelled. Several calls may run at once,
// but not to any use.
Result<Measurement> measure(std::span<const TensorPair> pairs, const MeasureOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_MEASURE_H_
