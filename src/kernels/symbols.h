// Sorting byte symbols into streams and merging them again: the two steps that a wavelet tree
// (Grossi, Gupta, Vitter 2003) and a partition by context are made of.
//
// Every symbol buffer has kSymbolSlack bytes behind its last symbol that may be read and written.
#ifndef FINEDELTA_KERNELS_SYMBOLS_H_
#define FINEDELTA_KERNELS_SYMBOLS_H_

#include <cstddef>
#include <cstdint>

namespace finedelta {

inline constexpr size_t kSymbolSlack = 64;
inline constexpr unsigned kMostStreams = 16;

// The lowest bits of a word that stand for what is left of `count`, at least one, from `begin` on.
constexpr uint64_t valid_bits(size_t begin, size_t count) {
  return count - begin >= 64 ? ~uint64_t{0} : (uint64_t{1} << (count - begin)) - 1;
}

// Symbols that all are the same need no buffer.
struct Branch {
  const uint8_t* symbols = nullptr;  // null: all are `constant`
  uint8_t constant = 0;
};

// Appends the symbols below `split` to `left` and the others to `right` (null: they are not
// wanted), in order. Bit i of `bits`, the lowest of a byte first, tells whether symbol i went
// right; the bits that fill the last 8 bytes are 0. Returns how many went right.
size_t split_symbols(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left,
                     uint8_t* right, std::byte* bits);

// The inverse: where a bit is set, the next symbol comes from `right`. Reads `bits` in whole words
// of 8 bytes.
void join_symbols(const std::byte* bits, size_t count, Branch left, Branch right, uint8_t* symbols);

// Appends symbol i to stream contexts[i], or to the last one where contexts[i] is higher. There are
// `streams` of them, at most kMostStreams.
void partition_symbols(const uint8_t* contexts, const uint8_t* symbols, size_t count,
                       size_t streams, uint8_t* const* stream);

// How many of the first `count` bits are set; those behind them, in the same word of 8 bytes, are
// 0.
size_t count_bits(const std::byte* bits, size_t count);

// Appends the symbols that are at least `least` to `selected`, in order; returns how many.
size_t select_symbols(const uint8_t* symbols, size_t count, uint8_t least, uint8_t* selected);

// Bit i of `bits` tells whether symbol i is at least `least`, as in split_symbols.
void mark_symbols(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_SYMBOLS_H_
