// From the bits of floating-point numbers and of their predictions to small integers and back.
//
// A float of w bits is a sign and a magnitude m (its other bits, which order floats of one sign).
// Given a prediction of magnitude m', its *difference* is d = m - m' modulo 2^w where the signs are
// equal, and (-m - 1) - m' where they are not: a small change through zero stays small, and
// shrinking towards zero is negative whatever the sign. Every pattern of bits has its own d.
#ifndef FINEDELTA_KERNELS_RESIDUAL_H_
#define FINEDELTA_KERNELS_RESIDUAL_H_

#include <cstddef>
#include <cstdint>

namespace finedelta {

// All of these take `count` units of `unit` bytes (1, 2 or 4); pointers may be unaligned, and
// outputs overlap no input.

// Differences are two's complement, `unit` bytes each.
void make_differences(unsigned unit, const std::byte* value, const std::byte* prediction,
                      size_t count, std::byte* differences);
void apply_differences(unsigned unit, const std::byte* differences, const std::byte* prediction,
                       size_t count, std::byte* value);

// Small differences as symbols: 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ...; all from 31 on
// become 31.
inline constexpr uint8_t kLargeDifference = 31;
void symbols_of_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols);
// The inverse, for symbols of small differences; others give anything.
void differences_of_symbols(unsigned unit, const uint8_t* symbols, size_t count,
                            std::byte* differences);

// How far the leading bits of each magnitude, magnitude >> shift, lie below `top`: at least 0, at
// most `most`. `shift` is below 8 * unit.
struct LeadingBits {
  unsigned shift = 0;
  uint32_t top = 0;
  uint8_t most = 0;
};
void contexts_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                 uint8_t* contexts);

// The same of the values, doubled, plus 1 where the sign is not the prediction's (null: where it is
// set). `most` is at most 127.
void leading_symbols(unsigned unit, const std::byte* value, const std::byte* prediction,
                     size_t count, LeadingBits bits, uint8_t* symbols);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_RESIDUAL_H_
