// Tables of the vector forms of nibble_rans.h.
#ifndef FINEDELTA_KERNELS_NIBBLE_RANS_TABLES_H_
#define FINEDELTA_KERNELS_NIBBLE_RANS_TABLES_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/nibble_rans.h"
#include "kernels/nibble_rans_scalar.h"

namespace finedelta {

// What a vector looks up, in 16 lanes.
struct RansTable {
  alignas(64) std::array<uint32_t, 16> frequency{};
  alignas(64) std::array<uint32_t, 16> start{};
  alignas(64) std::array<uint32_t, 16> reciprocal{};
};
using RansTables = std::array<RansTable, kMostCodedSkew + 1>;  // by skew

// For k bits set, the other lanes 0. A quotient of at most 5 is (within * reciprocal) >>
// kQuotientShift, exact since within * frequency < 2^26.
inline constexpr unsigned kQuotientShift = 26;
constexpr RansTables make_class_tables() {
  RansTables out{};
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) {
    for (unsigned k = 0; k <= 4; ++k) {
      const uint32_t frequency = kNibbleModels[skew].frequency[k];
      out[skew].frequency[k] = frequency;
      out[skew].start[k] = kNibbleModels[skew].start[k];
      // Of nibble 0 there is only one.
      out[skew].reciprocal[k] = k == 0 ? 0 : (1u << kQuotientShift) / frequency + 1;
    }
  }
  return out;
}
inline constexpr RansTables kClassTables = make_class_tables();

// What the encoder looks up for each nibble. The quotient of a state is the high half of its
// product with the reciprocal, or one more.
constexpr RansTables make_nibble_tables() {
  RansTables out{};
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) {
    const scalar::NibbleSlots& slots = scalar::kNibbleSlots[skew];
    out[skew].frequency = slots.frequency;
    out[skew].start = slots.start;
    for (unsigned i = 0; i < 16; ++i) {
      out[skew].reciprocal[i] = static_cast<uint32_t>(
          std::min<uint64_t>((uint64_t{1} << 32) / slots.frequency[i], 0xFFFF'FFFF));
    }
  }
  return out;
}
inline constexpr RansTables kNibbleTables = make_nibble_tables();

// For each mask of 8 lanes, the place of the word that a lane takes.
constexpr std::array<std::array<uint32_t, 8>, 256> make_word_places() {
  std::array<std::array<uint32_t, 8>, 256> out{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    uint32_t taken = 0;
    for (unsigned i = 0; i < 8; ++i) {
      if ((mask >> i & 1) != 0) out[mask][i] = taken++;
    }
  }
  return out;
}
alignas(64) inline constexpr std::array<std::array<uint32_t, 8>, 256> kWordPlaces =
    make_word_places();

// For each mask of 8 lanes, the lanes whose bits are set, as the last of 8 bytes.
constexpr std::array<uint64_t, 256> make_last_places() {
  std::array<uint64_t, 256> out{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    for (unsigned i = 0; i < 8; ++i) {
      if ((mask >> i & 1) != 0) out[mask] = out[mask] >> 8 | uint64_t{i} << 56;
    }
  }
  return out;
}
inline constexpr std::array<uint64_t, 256> kLastPlaces = make_last_places();

// For each nibble the number of ones, and its place among those with as many.
struct NibbleClasses {
  alignas(16) std::array<uint8_t, 16> ones{};
  alignas(16) std::array<uint8_t, 16> rank{};
};
constexpr NibbleClasses make_nibble_classes() {
  NibbleClasses out;
  for (unsigned place = 0; place < 16; ++place) {
    const unsigned nibble = kNibbleOrder[place];
    const auto ones = static_cast<unsigned>(std::popcount(nibble));
    out.ones[nibble] = static_cast<uint8_t>(ones);
    out.rank[nibble] = static_cast<uint8_t>(place - kFirstOfClass[ones]);
  }
  return out;
}
inline constexpr NibbleClasses kNibbleClasses = make_nibble_classes();

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_NIBBLE_RANS_TABLES_H_
