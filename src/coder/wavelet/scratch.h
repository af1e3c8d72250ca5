// Memory that the wavelet coder uses again from chunk to chunk.
#ifndef FINEDELTA_CODER_WAVELET_SCRATCH_H_
#define FINEDELTA_CODER_WAVELET_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bit_stream.h"
#include "coder/wavelet/plan.h"
#include "kernels/symbols.h"

namespace finedelta::wavelet {

// A stack of memory that is not touched before it is used. Not thread-safe.
class Arena {
 public:
  // Takes everything back; there are `capacity` bytes from now on.
  void reset(size_t capacity) {
    if (capacity > size_) {
      memory_ = std::make_unique_for_overwrite<uint8_t[]>(capacity);
      size_ = capacity;
    }
    capacity_ = capacity;
    used_ = 0;
  }

  // Null when there is no room.
  uint8_t* take(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    if (bytes > capacity_ - used_) return nullptr;
    used_ += bytes;
    return memory_.get() + used_ - bytes;
  }
  uint8_t* take_symbols(size_t count) { return take(count + kSymbolSlack); }
  uint8_t* take_bits(size_t count) { return take((count + 63) / 64 * 8); }

  [[nodiscard]] size_t mark() const { return used_; }
  void release(size_t mark) { used_ = mark; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t used_ = 0;
};

// What splitting the symbols of a chunk of `units` takes at most: the symbols of a node and of
// those above it, 8 times all symbols together, and the alignment of each.
constexpr size_t arena_bytes(size_t units) { return 8 * units + size_t{256} * 4 * kSymbolSlack; }

struct Scratch {
  Histogram histogram;
  Plan plan;                         // of the chunk that was analyzed last
  std::vector<uint8_t> contexts;     // of each unit
  std::vector<uint8_t> classes;      // of each block
  std::vector<uint16_t> activities;  // likewise
  std::vector<uint64_t> map;         // of the contexts of each block
  std::vector<uint8_t> symbols;
  std::vector<uint8_t> streams;  // the symbols of each context
  std::vector<std::byte> coded;  // the bits of all coded nodes
  std::vector<std::byte> bytes;  // what a BitReader reads
  std::vector<uint16_t> words;   // of rANS
  BitWriter bits;
  BitWriter rest;
  Arena arena;
};

// The most that all of it takes for chunks of so many units of so many bytes.
constexpr size_t scratch_bytes(size_t units, size_t unit) {
  return arena_bytes(units) + 10 * units + 5 * units * unit;
}

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_SCRATCH_H_
