#include <algorithm>
#include <bit>

#include "kernels/large_differences.h"
#include "kernels/large_differences_scalar.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/name_large_differences.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/shuffles-inl.h"
#include "kernels/with_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

// So many units at a time: a block.
constexpr size_t kNamed = 1024;

template <typename T>
HWY_INLINE void name_one_by_one(const std::byte* differences, size_t count, uint8_t* symbols,
                                BitSink& bits) {
  std::byte marks[kNamed / 8];
  mark_symbols(symbols, count, kLargeDifference, marks);
  for (size_t i = 0; i < count; i += 64) {
    for (auto word = load<uint64_t>(marks + i / 8); word != 0; word &= word - 1) {
      const size_t place = i + static_cast<size_t>(std::countr_zero(word));
      scalar::name_large_difference<T>(differences, place, symbols, bits);
    }
  }
}

// What a BitSink takes at once. Differences of 32 bits rarely have so many in two.
constexpr uint64_t kMostPut = 56;

// Each of the words has the bits of two differences, as many as `widths` says; unless T has 4
// bytes, every other one has those of four, and the rest do not count.
template <typename T, size_t kWords>
HWY_INLINE void put_words(const uint64_t (&values)[kWords], const uint64_t (&widths)[kWords],
                          BitSink& bits) {
  if (sizeof(T) < 4 || *std::max_element(widths, widths + kWords) <= kMostPut) {
    HWY_UNROLL(8) for (size_t i = 0; i < kWords; i += sizeof(T) < 4 ? 2 : 1) {
      bits.put(values[i], static_cast<unsigned>(widths[i]));
    }
    return;
  }
  for (size_t i = 0; i < kWords; ++i) {
    const auto all = static_cast<unsigned>(widths[i]);
    const unsigned first = std::min(all, 32u);
    bits.put(values[i] & ((uint64_t{1} << first) - 1), first);
    bits.put(values[i] >> first, all - first);
  }
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

constexpr size_t kLanes = 16;

// The differences whose symbols are large, one after another behind `large`; how many.
template <typename T>
size_t select_large(const std::byte* differences, size_t count, const uint8_t* symbols,
                    std::byte* large) {
  constexpr size_t kUnits = 64 / sizeof(T);
  std::byte* next = large;
  for (size_t i = 0; i < count; i += 64) {
    uint64_t mask =
        valid_bits(i, count) &
        _mm512_cmpge_epu8_mask(_mm512_loadu_si512(symbols + i), _mm512_set1_epi8(kLargeDifference));
    for (size_t j = i; mask != 0; j += kUnits) {
      const __m512i loaded = _mm512_loadu_si512(differences + j * sizeof(T));
      if constexpr (sizeof(T) == 4) {
        const auto wanted = static_cast<__mmask16>(mask);
        _mm512_storeu_si512(next, _mm512_maskz_compress_epi32(wanted, loaded));
        next += sizeof(T) * static_cast<size_t>(std::popcount(mask & 0xFFFF));
        mask >>= 16;
      } else if constexpr (sizeof(T) == 2) {
        const auto wanted = static_cast<__mmask32>(mask);
        _mm512_storeu_si512(next, _mm512_maskz_compress_epi16(wanted, loaded));
        next += sizeof(T) * static_cast<size_t>(std::popcount(mask & 0xFFFF'FFFF));
        mask >>= 32;
      } else {
        _mm512_storeu_si512(next, _mm512_maskz_compress_epi8(mask, loaded));
        next += std::popcount(mask);
        mask = 0;
      }
    }
  }
  return static_cast<size_t>(next - large) / sizeof(T);
}

// In the order of units, `names` instead of large symbols.
void place_names(const uint8_t* names, size_t count, uint8_t* symbols) {
  for (size_t i = 0; i < count; i += 64) {
    const __m512i loaded = _mm512_loadu_si512(symbols + i);
    const uint64_t mask =
        valid_bits(i, count) & _mm512_cmpge_epu8_mask(loaded, _mm512_set1_epi8(kLargeDifference));
    _mm512_storeu_si512(symbols + i,
                        _mm512_mask_expand_epi8(loaded, mask, _mm512_loadu_si512(names)));
    names += std::popcount(mask);
  }
}

template <typename T>
HWY_INLINE __m512i load_lanes(const std::byte* from) {
  if constexpr (sizeof(T) == 4) return _mm512_loadu_si512(from);
  if constexpr (sizeof(T) == 2) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

// The lowest `own` bits of each lane; the others are 0, and `own` is under 15 unless T has 4 bytes.
template <typename T>
HWY_INLINE void put_lanes(__m512i low, __m512i own, BitSink& bits) {
  const auto low_half = [](__m512i x) { return _mm512_srli_epi64(_mm512_slli_epi64(x, 32), 32); };
  const auto high_half = [](__m512i x) { return _mm512_srli_epi64(x, 32); };
  __m512i put = _mm512_or_si512(low_half(low), _mm512_sllv_epi64(high_half(low), low_half(own)));
  __m512i width = _mm512_add_epi64(low_half(own), high_half(own));
  if constexpr (sizeof(T) < 4) {
    put = _mm512_or_si512(put, _mm512_sllv_epi64(_mm512_bsrli_epi128(put, 8), width));
    width = _mm512_add_epi64(width, _mm512_bsrli_epi128(width, 8));
  }
  alignas(64) uint64_t values[8];
  alignas(64) uint64_t widths[8];
  _mm512_store_si512(values, put);
  _mm512_store_si512(widths, width);
  put_words<T>(values, widths, bits);
}

template <typename T>
void name_block(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  std::byte large[kNamed * sizeof(T) + 64];
  uint8_t names[kNamed + kSymbolSlack];
  const size_t many = select_large<T>(differences, count, symbols, large);
  const __m512i one = _mm512_set1_epi32(1);
  for (size_t i = 0; i < many; i += kLanes) {
    const auto valid = static_cast<__mmask16>(many - i >= kLanes ? 0xFFFF : (1u << (many - i)) - 1);
    const __m512i difference = load_lanes<T>(large + i * sizeof(T));
    const __m512i absolute = _mm512_abs_epi32(difference);
    // Bits behind the first two: a float's exponent tells how many there are.
    const __m512 rounded_down =
        _mm512_cvt_roundepu32_ps(absolute, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    const __m512i own = _mm512_maskz_sub_epi32(
        valid, _mm512_srli_epi32(_mm512_castps_si512(rounded_down), 23), _mm512_set1_epi32(128));
    const __m512i half = _mm512_and_si512(_mm512_srlv_epi32(absolute, own), one);
    const __m512i number = _mm512_add_epi32(
        _mm512_slli_epi32(own, 2),
        _mm512_add_epi32(_mm512_add_epi32(half, half), _mm512_srli_epi32(difference, 31)));
    const __m512i name = _mm512_add_epi32(
        number, _mm512_set1_epi32(kLargeDifference - 4 * (int{kLeastLargeLog2} - 1)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(names + i), _mm512_cvtepi32_epi8(name));
    const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, own), one);
    put_lanes<T>(_mm512_and_si512(absolute, mask), own, bits);
  }
  place_names(names, count, symbols);
}

#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

constexpr size_t kLanes = 8;

// Appends those of 8 differences whose bits are set; writes 8.
template <typename T>
HWY_INLINE void append_units(unsigned mask, const std::byte* from, std::byte*& to) {
  const __m128i places = _mm_cvtsi64_si128(static_cast<int64_t>(kShuffles.compress[mask]));
  if constexpr (sizeof(T) == 4) {
    const __m256i units = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(units, _mm256_cvtepu8_epi32(places)));
  } else {
    const __m128i units = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i both =
        _mm_shuffle_epi8(places, _mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));
    const __m128i bytes = _mm_add_epi8(_mm_add_epi8(both, both), _mm_set1_epi16(0x100));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_shuffle_epi8(units, bytes));
  }
  to += sizeof(T) * ones_of(mask);
}

// The differences whose symbols are large, one after another behind `large`; how many.
template <typename T>
size_t select_large(const std::byte* differences, size_t count, const uint8_t* symbols,
                    std::byte* large) {
  const DWide d;
  std::byte* next = large;
  for (size_t i = 0; i < count; i += kWide) {
    const VWide loaded = hn::LoadU(d, symbols + i);
    uint32_t mask = bits_of_wide(hn::Eq(hn::Max(loaded, hn::Set(d, kLargeDifference)), loaded));
    if (count - i < kWide) mask &= (1u << (count - i)) - 1;
    HWY_UNROLL(4) for (size_t k = 0; k < kWide; k += kLanes) {
      append_units<T>(mask >> k & 255, differences + (i + k) * sizeof(T), next);
    }
  }
  return static_cast<size_t>(next - large) / sizeof(T);
}

// In the order of units, `names` instead of large symbols.
void place_names(const uint8_t* names, size_t count, uint8_t* symbols) {
  const DWide d;
  const VWide one = hn::Set(d, 1);
  const VWide ones = hidden_ones();
  for (size_t i = 0; i < count; i += kWide) {
    const VWide loaded = hn::LoadU(d, symbols + i);
    const auto is_large = hn::Eq(hn::Max(loaded, hn::Set(d, kLargeDifference)), loaded);
    const uint32_t bits = bits_of_wide(is_large);
    const VWide next = load_blocks(names, ones_of(bits << 16));
    const VWide ranks = running_sums(hn::And(hn::VecFromMask(d, is_large), one), ones);
    const VWide placed = hn::TableLookupBytes(next, hn::Sub(ranks, one));
    hn::StoreU(hn::IfThenElse(is_large, placed, loaded), d, symbols + i);
    names += ones_of(bits);
  }
}

template <typename T>
HWY_INLINE __m256i load_lanes(const std::byte* from) {
  if constexpr (sizeof(T) == 4) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

// The lowest `own` bits of each lane; the others are 0, and `own` is under 15 unless T has 4 bytes.
template <typename T>
HWY_INLINE void put_lanes(__m256i low, __m256i own, BitSink& bits) {
  const auto low_half = [](__m256i x) HWY_ATTR {
    return _mm256_blend_epi32(x, _mm256_setzero_si256(), 0xAA);
  };
  const auto high_half = [](__m256i x) HWY_ATTR { return _mm256_srli_epi64(x, 32); };
  __m256i put = _mm256_or_si256(low_half(low), _mm256_sllv_epi64(high_half(low), low_half(own)));
  __m256i width = _mm256_add_epi64(low_half(own), high_half(own));
  if constexpr (sizeof(T) < 4) {
    put = _mm256_or_si256(put, _mm256_sllv_epi64(_mm256_srli_si256(put, 8), width));
    width = _mm256_add_epi64(width, _mm256_srli_si256(width, 8));
  }
  alignas(32) uint64_t values[4];
  alignas(32) uint64_t widths[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(values), put);
  _mm256_store_si256(reinterpret_cast<__m256i*>(widths), width);
  put_words<T>(values, widths, bits);
}

// What becomes of 8 differences; only where they are large.
struct Named {
  __m256i symbol;
  __m256i own;  // how many bits of its own, under 3 for other differences
  __m256i absolute;
};

HWY_INLINE Named name_lanes(__m256i difference) {
  const __m256i absolute = _mm256_abs_epi32(difference);
  // Bits behind the first two: a float's exponent tells how many there are. Without the second
  // bit nothing is rounded up to the next power of two.
  const __m256i first_bit = _mm256_andnot_si256(_mm256_srli_epi32(absolute, 1), absolute);
  const __m256i exponent =
      _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(first_bit)), 23),
                       _mm256_set1_epi32(255));
  const __m256i own = _mm256_sub_epi32(exponent, _mm256_set1_epi32(128));
  const __m256i half = _mm256_and_si256(_mm256_srlv_epi32(absolute, own), _mm256_set1_epi32(1));
  const __m256i number = _mm256_add_epi32(
      _mm256_slli_epi32(own, 2),
      _mm256_add_epi32(_mm256_add_epi32(half, half), _mm256_srli_epi32(difference, 31)));
  const __m256i symbol = _mm256_add_epi32(
      number, _mm256_set1_epi32(kLargeDifference - 4 * (int{kLeastLargeLog2} - 1)));
  return {symbol, own, absolute};
}

// The lowest `own` bits of each lane.
template <typename T>
HWY_INLINE void put_lowest(__m256i lanes, __m256i own, BitSink& bits) {
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, own), one);
  put_lanes<T>(_mm256_and_si256(lanes, mask), own, bits);
}

HWY_INLINE void store_8(__m256i symbols, uint8_t* to) {
  const __m128i halves =
      _mm_packus_epi32(_mm256_castsi256_si128(symbols), _mm256_extracti128_si256(symbols, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves, halves));
}

// Where few are large: these are put together first.
template <typename T>
HWY_INLINE void name_selected(const std::byte* differences, size_t count, uint8_t* symbols,
                              BitSink& bits) {
  std::byte large[kNamed * sizeof(T) + 64];
  uint8_t names[kNamed + kSymbolSlack];
  const size_t many = select_large<T>(differences, count, symbols, large);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (size_t i = 0; i < many; i += kLanes) {
    const __m256i valid = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(many - i)), lanes);
    const Named named = name_lanes(load_lanes<T>(large + i * sizeof(T)));
    store_8(named.symbol, names + i);
    put_lowest<T>(named.absolute, _mm256_and_si256(valid, named.own), bits);
  }
  place_names(names, count, symbols);
}

// Where most are large: in their places, and others have no bits.
template <typename T>
HWY_INLINE void name_in_place(const std::byte* differences, size_t count, uint8_t* symbols,
                              BitSink& bits) {
  const __m256i most_of_others = _mm256_set1_epi32(kLeastLargeLog2 - 2);
  for (size_t i = 0; i < count; i += kLanes) {
    const Named named = name_lanes(load_lanes<T>(differences + i * sizeof(T)));
    const __m256i is_large = _mm256_cmpgt_epi32(named.own, most_of_others);
    const __m128i small = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(symbols + i));
    store_8(_mm256_blendv_epi8(_mm256_cvtepu8_epi32(small), named.symbol, is_large), symbols + i);
    put_lowest<T>(named.absolute, _mm256_and_si256(is_large, named.own), bits);
  }
}

HWY_INLINE size_t count_large(const uint8_t* symbols, size_t count) {
  const DWide d;
  size_t large = 0;
  for (size_t i = 0; i < count; i += kWide) {
    const VWide loaded = hn::LoadU(d, symbols + i);
    large += ones_of(bits_of_wide(hn::Eq(hn::Max(loaded, hn::Set(d, kLargeDifference)), loaded)));
  }
  return large;
}

template <typename T>
void name_vectors(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  // A copy stays in registers: what is stored might be the sink itself, and each of its bits would
  // wait for a store.
  BitSink sink = bits;
  const size_t whole = count / kWide * kWide;
  const size_t large = count_large(symbols, whole);
  if (large > whole / 2) {
    name_in_place<T>(differences, whole, symbols, sink);
  } else if (large > 0) {
    name_selected<T>(differences, whole, symbols, sink);
  }
  for (size_t i = whole; i < count; ++i) {
    if (symbols[i] < kLargeDifference) continue;
    scalar::name_large_difference<T>(differences, i, symbols, sink);
  }
  bits = sink;
}

template <typename T>
void name_block(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  if constexpr (sizeof(T) == 1) {
    name_one_by_one<T>(differences, count, symbols, bits);
  } else {
    name_vectors<T>(differences, count, symbols, bits);
  }
}

#else

template <typename T>
void name_block(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  name_one_by_one<T>(differences, count, symbols, bits);
}

#endif

template <typename T>
void name(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  BitSink sink = bits;
  for (size_t i = 0; i < count; i += kNamed) {
    name_block<T>(differences + i * sizeof(T), std::min(kNamed, count - i), symbols + i, sink);
  }
  bits = sink;
}

void name_any(unsigned unit, const std::byte* differences, size_t count, uint8_t* symbols,
              BitSink& bits) {
  with_unit(unit, [&](auto type) { name<decltype(type)>(differences, count, symbols, bits); });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(name_any);

void name_large_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols, BitSink& bits) {
  HWY_DYNAMIC_DISPATCH(name_any)(unit, differences, count, symbols, bits);
}

}  // namespace finedelta
#endif  // HWY_ONCE
