// The scalar reference of symbols.h.
#ifndef FINEDELTA_KERNELS_SYMBOLS_SCALAR_H_
#define FINEDELTA_KERNELS_SYMBOLS_SCALAR_H_

#include <algorithm>
#include <array>
#include <bit>

#include "base/bytes.h"
#include "kernels/symbols.h"

namespace finedelta::scalar {

inline void mark_symbols(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits) {
  for (size_t begin = 0; begin < count; begin += 64) {
    uint64_t word = 0;
    for (size_t i = begin; i < std::min(begin + 64, count); ++i) {
      word |= uint64_t{symbols[i] >= least} << (i - begin);
    }
    store(bits + begin / 8, word);
  }
}

inline size_t count_bits(const std::byte* bits, size_t count) {
  size_t set = 0;
  for (size_t i = 0; i < count; i += 64) {
    set += static_cast<size_t>(std::popcount(load<uint64_t>(bits + i / 8)));
  }
  return set;
}

inline size_t select_symbols(const uint8_t* symbols, size_t count, uint8_t least,
                             uint8_t* selected) {
  size_t taken = 0;
  for (size_t i = 0; i < count; ++i) {
    selected[taken] = symbols[i];
    taken += symbols[i] >= least ? 1 : 0;
  }
  return taken;
}

inline size_t split_symbols(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left,
                            uint8_t* right, std::byte* bits) {
  mark_symbols(symbols, count, split, bits);
  size_t went_right = 0;
  for (size_t i = 0; i < count; ++i) {
    const bool goes_right = symbols[i] >= split;
    if (right != nullptr && goes_right) right[went_right] = symbols[i];
    if (left != nullptr && !goes_right) left[i - went_right] = symbols[i];
    went_right += goes_right ? 1 : 0;
  }
  return went_right;
}

inline void join_symbols(const std::byte* bits, size_t count, Branch left, Branch right,
                         uint8_t* symbols) {
  for (size_t i = 0; i < count; ++i) {
    const bool from_right = (std::to_integer<unsigned>(bits[i / 8]) >> i % 8 & 1) != 0;
    Branch& branch = from_right ? right : left;
    symbols[i] = branch.symbols != nullptr ? *branch.symbols++ : branch.constant;
  }
}

inline void partition_symbols(const uint8_t* contexts, const uint8_t* symbols, size_t count,
                              size_t streams, uint8_t* const* stream) {
  std::array<uint8_t*, kMostStreams> next{};
  std::copy_n(stream, streams, next.begin());
  for (size_t i = 0; i < count; ++i) {
    *next[std::min<size_t>(contexts[i], streams - 1)]++ = symbols[i];
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_SYMBOLS_SCALAR_H_
