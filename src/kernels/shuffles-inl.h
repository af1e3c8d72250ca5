// Compressing and expanding bytes where no instruction does it: 8 at a time are shuffled by what a
// table says for their mask. Included once for each Highway target, by .cc files only.
#ifndef FINEDELTA_KERNELS_SHUFFLES_TABLES
#define FINEDELTA_KERNELS_SHUFFLES_TABLES

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace finedelta {

// For each mask of 8 bits, 8 byte indices in a word.
struct ShuffleTables {
  std::array<uint64_t, 256> compress;  // the places of the set bits, then 0
  // For a set bit its rank among them; 0x80 (no place) for others.
  std::array<uint64_t, 256> expand;
};

constexpr ShuffleTables make_shuffle_tables() {
  ShuffleTables tables{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    uint64_t set = 0;
    for (unsigned i = 0; i < 8; ++i) {
      const bool is_set = (mask >> i & 1) != 0;
      if (is_set) tables.compress[mask] |= uint64_t{i} << 8 * set;
      tables.expand[mask] |= (is_set ? set : uint64_t{0x80}) << 8 * i;
      set += is_set ? 1 : 0;
    }
  }
  return tables;
}

inline constexpr ShuffleTables kShuffles = make_shuffle_tables();

// For each mask, 16 byte indices in two words: the places of the set bits, and those of the others.
using PartTable = std::array<std::array<uint64_t, 2>, 256>;

constexpr PartTable make_part_table() {
  PartTable table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    table[mask] = {kShuffles.compress[mask], kShuffles.compress[mask ^ 255]};
  }
  return table;
}

inline constexpr PartTable kParts = make_part_table();

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_SHUFFLES_TABLES

#if defined(FINEDELTA_KERNELS_SHUFFLES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FINEDELTA_KERNELS_SHUFFLES_INL_H_
#undef FINEDELTA_KERNELS_SHUFFLES_INL_H_
#else
#define FINEDELTA_KERNELS_SHUFFLES_INL_H_
#endif

#include "hwy/highway.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D16 = hn::FixedTag<uint8_t, 16>;
using V16 = hn::Vec<D16>;
using D8 = hn::FixedTag<uint8_t, 8>;

// 8 indices, and whatever behind them.
HWY_INLINE V16 load_indices(const uint64_t& indices) {
  return hn::ZeroExtendVector(D16(),
                              hn::BitCast(D8(), hn::Set(hn::FixedTag<uint64_t, 1>(), indices)));
}

// Appends the symbols whose bits are set, of the lowest 8; writes 16 bytes.
HWY_INLINE void append_8(uint64_t mask, V16 symbols, uint8_t*& to) {
  hn::StoreU(hn::TableLookupBytes(symbols, load_indices(kShuffles.compress[mask])), D16(), to);
  to += std::popcount(mask);
}

HWY_INLINE void store_upper(V16 symbols, uint8_t* to) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  _mm_storeh_pd(reinterpret_cast<double*>(to), _mm_castsi128_pd(symbols.raw));
#else
  hn::StoreU(hn::UpperHalf(D8(), symbols), D8(), to);
#endif
}

// Of 64 symbols, of which `count` are wanted, those whose bits are set go right and the others
// left, 8 at a time. Where both sides are wanted, one shuffle serves both.
template <bool kLeft, bool kRight>
HWY_INLINE void part_64(uint64_t word, const uint8_t* symbols, size_t count, uint8_t*& left,
                        uint8_t*& right) {
  uint8_t* behind = left;  // less the symbols so far: one count then tells both places
  HWY_UNROLL(8) for (size_t k = 0; k < 64; k += 8) {
    if (k >= count) return;
    const V16 loaded = hn::LoadU(D16(), symbols + k);
    const size_t mask = word >> k & 255;
    if constexpr (kLeft && kRight) {
      const auto* const order = reinterpret_cast<const uint8_t*>(kParts.data() + mask);
      const V16 parted = hn::TableLookupBytes(loaded, hn::LoadU(D16(), order));
      hn::StoreU(hn::LowerHalf(D8(), parted), D8(), right);
      store_upper(parted, behind + k);
      const auto rights = static_cast<size_t>(std::popcount(mask));
      right += rights;
      behind -= rights;
    } else if constexpr (kLeft) {
      append_8(mask ^ 255, loaded, left);
    } else if constexpr (kRight) {
      append_8(mask, loaded, right);
    }
  }
  if constexpr (kLeft && kRight) left = behind + 64;
}

// Symbols are put in their places without a table: a running sum of the lanes that are set tells
// which symbol each one takes. One or two blocks of 16 bytes, which shuffles stay within.
constexpr size_t kWide = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2 ? 32 : 16;
using DWide = hn::FixedTag<uint8_t, kWide>;
using VWide = hn::Vec<DWide>;

// All lanes are 1. Compilers must not know it: they make shifts of products with constants, and
// shifts wait for the same units as shuffles.
HWY_INLINE VWide hidden_ones() {
  const volatile uint8_t one = 1;
  return hn::Set(DWide(), one);
}

// In each lane the sum of the lanes of its block up to that one; `ones` are hidden_ones. A product
// sums within each 4 lanes, which must stay below 256 in all, then their totals are added.
HWY_INLINE VWide running_sums(VWide lanes, VWide ones) {
  const DWide d;
  const hn::Repartition<uint32_t, DWide> d32;
  alignas(16) constexpr uint8_t kBefore[16] = {0x80, 0x80, 0x80, 0x80, 3,  3,  3,  3,
                                               7,    7,    7,    7,    11, 11, 11, 11};
  alignas(16) constexpr uint8_t kTwoBefore[16] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                                  3,    3,    3,    3,    7,    7,    7,    7};
  VWide sums = hn::BitCast(d, hn::Mul(hn::BitCast(d32, lanes), hn::BitCast(d32, ones)));
  sums = hn::Add(sums, hn::TableLookupBytesOr0(sums, hn::LoadDup128(d, kBefore)));
  return hn::Add(sums, hn::TableLookupBytesOr0(sums, hn::LoadDup128(d, kTwoBefore)));
}

// The next 16 symbols in the first block; in a second one, those from `skipped` on.
HWY_INLINE VWide load_blocks(const uint8_t* from, size_t skipped) {
  const V16 first = hn::LoadU(D16(), from);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::Combine(DWide(), hn::LoadU(D16(), from + skipped), first);
#else
  static_cast<void>(skipped);
  return first;
#endif
}

// A bit for each lane.
HWY_INLINE uint32_t bits_of_wide(hn::Mask<DWide> mask) {
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(DWide(), mask, bytes);
  uint32_t bits = 0;
  for (size_t i = 0; i < kWide / 8; ++i) bits |= static_cast<uint32_t>(bytes[i]) << 8 * i;
  return bits;
}

HWY_INLINE size_t ones_of(uint32_t bits) { return static_cast<size_t>(std::popcount(bits)); }

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif  // per-target include guard
