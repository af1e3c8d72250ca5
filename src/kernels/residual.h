// From the bits of floating-point numbers and of their predictions to small integers and back.
//
// A float of w bits is a sign and a magnitude m (its other bits, which order floats of one sign).
// Given a prediction of magnitude m', its *difference* is d = m - m' modulo 2^w where the signs are
// equal, and (-m - 1) - m' where they are not: a small change through zero stays small, and
// shrinking towards zero is negative whatever the sign. Every pattern of bits has its own d.
#ifndef FINEDELTA_KERNELS_RESIDUAL_H_
#define FINEDELTA_KERNELS_RESIDUAL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace finedelta {

// All of these take `count` units of `unit` bytes (1, 2 or 4); pointers may be unaligned, and
// outputs overlap no input.

// Differences are two's complement, `unit` bytes each.
void make_differences(unsigned unit, const std::byte* value, const std::byte* prediction,
                      size_t count, std::byte* differences);

// Small differences as symbols: 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ...; all from 31 on
// become 31.
inline constexpr uint8_t kLargeDifference = 31;
void symbols_of_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols);

// The values that these symbols make of the prediction. Symbols from 31 on stand for the next of
// the differences `large`, behind which 64 bytes may be read. Returns how many there were.
size_t values_of_symbols(unsigned unit, const uint8_t* symbols, const std::byte* large,
                         const std::byte* prediction, size_t count, std::byte* value);

// How far the leading bits of each magnitude, magnitude >> shift, lie below `top`: at least 0, at
// most `most`. `shift` is below 8 * unit.
struct LeadingBits {
  unsigned shift = 0;
  uint32_t top = 0;
  uint8_t most = 0;
};
void contexts_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                 uint8_t* out);

// The same as a map, for merge_contexts on the same target: for each block of 64 units
// context_map_words(group) words, and 8 behind all that may be touched. Its form is the target's
// affair. `bits.most` is group - 1, below 16. Adds to counts[classes[block] * group + k], or
// without classes (null) to counts[k], how many units have context k.
constexpr size_t context_map_words(size_t group) { return std::max<size_t>(group, 8); }
void context_map_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                    const uint8_t* classes, uint64_t* map, uint32_t* counts);

// The same of the values, doubled, plus 1 where the sign is not the prediction's (null: where it is
// set). `most` is at most 127.
void leading_symbols(unsigned unit, const std::byte* value, const std::byte* prediction,
                     size_t count, LeadingBits bits, uint8_t* symbols);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_RESIDUAL_H_
