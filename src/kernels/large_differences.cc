#include "kernels/large_differences.h"

#include <array>
#include <bit>

#include "kernels/large_differences_scalar.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/large_differences.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/shuffles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// Sixteen at a time: where each one's bits begin is a sum of the widths before it.

constexpr size_t kLanes = 16;

// In each lane the sum of that lane and all before it.
HWY_INLINE __m512i running_sum(__m512i x) {
  const __m512i zero = _mm512_setzero_si512();
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
  return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

// For each lane at least as many bits as a unit of type T has, from bit `places` (below 512) behind
// `bits` on. Reads 64 bytes.
template <typename T>
HWY_INLINE __m512i bits_at(const std::byte* bits, __m512i places) {
  const __m512i bytes = _mm512_loadu_si512(bits);
  const __m512i byte = _mm512_srli_epi32(places, 3);
  const __m512i shift = _mm512_and_si512(places, _mm512_set1_epi32(7));
  // Each lane's bytes from that one on.
  const auto from = [&](__m512i firsts, __m128i repeat, __m512i steps) {
    const __m512i first = _mm512_shuffle_epi8(firsts, _mm512_broadcast_i32x4(repeat));
    return _mm512_permutexvar_epi8(_mm512_add_epi8(first, steps), bytes);
  };
  if constexpr (sizeof(T) < 4) {
    const __m128i repeat = _mm_setr_epi32(0, 0x0404'0404, 0x0808'0808, 0x0C0C'0C0C);
    return _mm512_srlv_epi32(from(byte, repeat, _mm512_set1_epi32(0x0302'0100)), shift);
  } else {
    const __m128i repeat = _mm_setr_epi32(0, 0, 0x0808'0808, 0x0808'0808);
    const __m512i steps = _mm512_set1_epi64(0x0706'0504'0302'0100);
    const auto half = [&](__m256i first, __m256i shifts) {
      const __m512i words = from(_mm512_cvtepu32_epi64(first), repeat, steps);
      return _mm512_cvtepi64_epi32(_mm512_srlv_epi64(words, _mm512_cvtepu32_epi64(shifts)));
    };
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(half(_mm512_castsi512_si256(byte), _mm512_castsi512_si256(shift))),
        half(_mm512_extracti64x4_epi64(byte, 1), _mm512_extracti64x4_epi64(shift, 1)), 1);
  }
}

template <typename T>
HWY_INLINE void store_lanes(__m512i differences, std::byte* to) {
  if constexpr (sizeof(T) == 4) {
    _mm512_storeu_si512(to, differences);
  } else if constexpr (sizeof(T) == 2) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(differences));
  } else {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(differences));
  }
}

template <typename T>
size_t read(const uint8_t* symbols, size_t count, const std::byte* bits, size_t at, size_t end,
            std::byte* differences) {
  const __m512i one = _mm512_set1_epi32(1);
  size_t i = 0;
  for (; i + kLanes <= count && at + 512 <= end; i += kLanes) {
    const __m512i number = _mm512_sub_epi32(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + i))),
        _mm512_set1_epi32(kLargeDifference));
    const __m512i own =
        _mm512_add_epi32(_mm512_srli_epi32(number, 2), _mm512_set1_epi32(kLeastLargeLog2 - 1));
    const __m512i ends = running_sum(own);
    const __m512i places =
        _mm512_add_epi32(_mm512_sub_epi32(ends, own), _mm512_set1_epi32(static_cast<int>(at % 8)));
    const std::byte* const from = bits + at / 8;
    const __m512i low = bits_at<T>(from, places);
    const __m512i leading =
        _mm512_add_epi32(_mm512_set1_epi32(2), _mm512_and_si512(_mm512_srli_epi32(number, 1), one));
    const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, own), one);
    const __m512i absolute =
        _mm512_or_si512(_mm512_sllv_epi32(leading, own), _mm512_and_si512(low, mask));
    const __m512i sign = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_and_si512(number, one));
    store_lanes<T>(_mm512_sub_epi32(_mm512_xor_si512(absolute, sign), sign),
                   differences + i * sizeof(T));
    at += static_cast<uint32_t>(_mm_extract_epi32(_mm512_extracti32x4_epi32(ends, 3), 3));
  }
  return scalar::read_large_differences<T>(symbols, i, count, bits, at, end, differences);
}

#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

constexpr size_t kLanes = 8;

// In each lane the sum of that lane and all before it.
HWY_INLINE __m256i running_sum(__m256i x) {
  x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
  x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
  const __m256i lower = _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(3));
  return _mm256_add_epi32(x, _mm256_blend_epi32(_mm256_setzero_si256(), lower, 0xF0));
}

HWY_INLINE __m256i load_twice(const std::byte* from) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

// For each of 4 lanes 32 bits from bit `places` behind `bits` on; they lie within 16 bytes.
HWY_INLINE __m128i four_at(const std::byte* bits, __m128i places) {
  const __m128i byte = _mm_srli_epi32(places, 3);
  const auto first = static_cast<uint32_t>(_mm_cvtsi128_si32(byte));
  const __m256i within =
      _mm256_cvtepu32_epi64(_mm_sub_epi32(byte, _mm_set1_epi32(static_cast<int>(first))));
  const __m256i repeat =
      _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0, 0x0808'0808, 0x0808'0808));
  const __m256i bytes = _mm256_add_epi8(_mm256_shuffle_epi8(within, repeat),
                                        _mm256_set1_epi64x(0x0706'0504'0302'0100));
  const __m256i words =
      _mm256_srlv_epi64(_mm256_shuffle_epi8(load_twice(bits + first), bytes),
                        _mm256_cvtepu32_epi64(_mm_and_si128(places, _mm_set1_epi32(7))));
  return _mm256_castsi256_si128(
      _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)));
}

// Of two bytes each, 32 at a time, in bytes as long as that is possible: two blocks of 16 whose
// bits are less than 256, and in each block twice eight whose bits lie within 16 bytes.

struct PowerTable {
  alignas(16) std::array<uint8_t, 16> low{};
  alignas(16) std::array<uint8_t, 16> high{};

  // 2^(first + step i), as far as it is below 2^16.
  constexpr PowerTable(int first, int step) {
    for (int i = 0; i < 16 && first + step * i >= 0; ++i) {
      const unsigned power = 1u << (first + step * i);
      low[static_cast<size_t>(i)] = static_cast<uint8_t>(power & 255);
      high[static_cast<size_t>(i)] = static_cast<uint8_t>(power >> 8 & 255);
    }
  }
};
constexpr PowerTable kPowers(0, 1);    // 2^i
constexpr PowerTable kFactors(8, -1);  // 2^(8 - i)

HWY_INLINE __m256i look_up(const std::array<uint8_t, 16>& table, __m256i places) {
  return _mm256_shuffle_epi8(
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.data()))),
      places);
}

HWY_INLINE __m256i load_two(const std::byte* low, const std::byte* high) {
  return _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high)),
                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
}

// Where a bit of the lanes is set.
HWY_INLINE __m256i test_bytes(__m256i x, int8_t bit) {
  const __m256i bits = _mm256_set1_epi8(bit);
  return _mm256_cmpeq_epi8(_mm256_and_si256(x, bits), bits);
}

template <int kBits>
HWY_INLINE __m256i shift_bytes(__m256i x) {
  return _mm256_and_si256(_mm256_srli_epi16(x, kBits), _mm256_set1_epi8(255 >> kBits));
}

// Moves `at` behind the bits of those that it reads; returns how many they are.
size_t read_units_of_2(const uint8_t* symbols, size_t count, const std::byte* bits, size_t& at,
                       size_t end, std::byte* differences) {
  constexpr size_t kUnits = 32;
  const VWide ones = hidden_ones();
  size_t i = 0;
  for (; i + kUnits <= count && at + 512 <= end; i += kUnits) {
    const __m256i number =
        _mm256_sub_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i)),
                        _mm256_set1_epi8(kLargeDifference));
    const __m256i own =
        _mm256_add_epi8(shift_bytes<2>(number), _mm256_set1_epi8(kLeastLargeLog2 - 1));
    const __m256i ends = running_sums(VWide{own}, ones).raw;
    const size_t second = at + static_cast<uint8_t>(_mm256_extract_epi8(ends, 15));
    const __m256i starts = _mm256_set_m128i(_mm_set1_epi8(static_cast<int8_t>(second % 8)),
                                            _mm_set1_epi8(static_cast<int8_t>(at % 8)));
    const __m256i places = _mm256_add_epi8(_mm256_sub_epi8(ends, own), starts);
    const __m256i bytes = shift_bytes<3>(places);
    // The later eight of a block count from the byte in which the first of them begins.
    const __m256i middles = _mm256_shuffle_epi8(
        bytes, _mm256_broadcastsi128_si256(_mm_setr_epi32(-1, -1, 0x0808'0808, 0x0808'0808)));
    const __m256i first = _mm256_sub_epi8(bytes, middles);
    const __m256i next = _mm256_add_epi8(first, _mm256_set1_epi8(1));
    const __m256i after = _mm256_add_epi8(first, _mm256_set1_epi8(2));
    const __m256i shifts = _mm256_and_si256(places, _mm256_set1_epi8(7));
    const __m256i half = test_bytes(number, 2);
    const __m256i sign = test_bytes(number, 1);
    const auto eight = [&](auto widen, __m256i loaded) HWY_ATTR {
      // The bits of three bytes from a place on: those of the first, and those of the other two.
      const __m256i factor = widen(look_up(kFactors.low, shifts), look_up(kFactors.high, shifts));
      const __m256i low = _mm256_shuffle_epi8(loaded, widen(first, _mm256_set1_epi8(-1)));
      const __m256i high = _mm256_shuffle_epi8(loaded, widen(next, after));
      const __m256i read = _mm256_or_si256(_mm256_srli_epi16(_mm256_mullo_epi16(low, factor), 8),
                                           _mm256_mullo_epi16(high, factor));
      const __m256i power = widen(look_up(kPowers.low, own), look_up(kPowers.high, own));
      const __m256i leading = _mm256_add_epi16(_mm256_add_epi16(power, power),
                                               _mm256_and_si256(power, widen(half, half)));
      const __m256i mask = _mm256_sub_epi16(power, _mm256_set1_epi16(1));
      const __m256i absolute = _mm256_or_si256(leading, _mm256_and_si256(read, mask));
      const __m256i signs = widen(sign, sign);
      return _mm256_sub_epi16(_mm256_xor_si256(absolute, signs), signs);
    };
    const std::byte* const from = bits + at / 8;
    const std::byte* const from_second = bits + second / 8;
    const __m256i earlier =
        eight([](__m256i a, __m256i b) HWY_ATTR { return _mm256_unpacklo_epi8(a, b); },
              load_two(from, from_second));
    const __m256i later =
        eight([](__m256i a, __m256i b) HWY_ATTR { return _mm256_unpackhi_epi8(a, b); },
              load_two(from + _mm256_extract_epi8(bytes, 8),
                       from_second + _mm256_extract_epi8(bytes, 24)));
    auto* const to = reinterpret_cast<__m256i*>(differences + i * 2);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(earlier, later, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(earlier, later, 0x31));
    at = second + static_cast<uint8_t>(_mm256_extract_epi8(ends, 31));
  }
  return i;
}

// Of four bytes each, 8 at a time; returns how many.
size_t read_units_of_4(const uint8_t* symbols, size_t count, const std::byte* bits, size_t& at,
                       size_t end, std::byte* differences) {
  const __m256i one = _mm256_set1_epi32(1);
  size_t i = 0;
  for (; i + kLanes <= count && at + 512 <= end; i += kLanes) {
    const __m256i number = _mm256_sub_epi32(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(symbols + i))),
        _mm256_set1_epi32(kLargeDifference));
    const __m256i own =
        _mm256_add_epi32(_mm256_srli_epi32(number, 2), _mm256_set1_epi32(kLeastLargeLog2 - 1));
    const __m256i ends = running_sum(own);
    const __m256i places =
        _mm256_add_epi32(_mm256_sub_epi32(ends, own), _mm256_set1_epi32(static_cast<int>(at % 8)));
    const std::byte* const from = bits + at / 8;
    const __m256i low = _mm256_set_m128i(four_at(from, _mm256_extracti128_si256(places, 1)),
                                         four_at(from, _mm256_castsi256_si128(places)));
    const __m256i leading =
        _mm256_add_epi32(_mm256_set1_epi32(2), _mm256_and_si256(_mm256_srli_epi32(number, 1), one));
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, own), one);
    const __m256i absolute =
        _mm256_or_si256(_mm256_sllv_epi32(leading, own), _mm256_and_si256(low, mask));
    const __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(number, one));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(differences + i * 4),
                        _mm256_sub_epi32(_mm256_xor_si256(absolute, sign), sign));
    at += static_cast<uint32_t>(_mm256_extract_epi32(ends, 7));
  }
  return i;
}

template <typename T>
size_t read(const uint8_t* symbols, size_t count, const std::byte* bits, size_t at, size_t end,
            std::byte* differences) {
  size_t i = 0;
  if constexpr (sizeof(T) == 2) i = read_units_of_2(symbols, count, bits, at, end, differences);
  if constexpr (sizeof(T) == 4) i = read_units_of_4(symbols, count, bits, at, end, differences);
  return scalar::read_large_differences<T>(symbols, i, count, bits, at, end, differences);
}

#else

template <typename T>
size_t read(const uint8_t* symbols, size_t count, const std::byte* bits, size_t at, size_t end,
            std::byte* differences) {
  return scalar::read_large_differences<T>(symbols, 0, count, bits, at, end, differences);
}

#endif

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// The differences whose symbols are large, one after another behind `large`; how many.
template <typename T>
size_t select_large(const std::byte* differences, size_t count, const uint8_t* symbols,
                    std::byte* large) {
  constexpr size_t kUnits = 64 / sizeof(T);
  std::byte* next = large;
  for (size_t i = 0; i < count; i += 64) {
    const uint64_t valid = count - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (count - i)) - 1;
    uint64_t mask = valid & _mm512_cmpge_epu8_mask(_mm512_loadu_si512(symbols + i),
                                                   _mm512_set1_epi8(kLargeDifference));
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
    const uint64_t valid = count - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (count - i)) - 1;
    const __m512i loaded = _mm512_loadu_si512(symbols + i);
    const uint64_t mask =
        valid & _mm512_cmpge_epu8_mask(loaded, _mm512_set1_epi8(kLargeDifference));
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
  for (size_t i = 0; i < 8; i += sizeof(T) < 4 ? 2 : 1) {
    const auto all = static_cast<unsigned>(widths[i]);
    if constexpr (sizeof(T) < 4) {
      bits.put(values[i], all);
    } else {
      const unsigned first = std::min(all, 32u);
      bits.put(values[i] & ((uint64_t{1} << first) - 1), first);
      bits.put(values[i] >> first, all - first);
    }
  }
}

// So many units at a time.
constexpr size_t kNamed = 1024;

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

template <typename T>
void name(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  BitSink sink = bits;
  for (size_t i = 0; i < count; i += kNamed) {
    name_block<T>(differences + i * sizeof(T), std::min(kNamed, count - i), symbols + i, sink);
  }
  bits = sink;
}

#else

template <typename T>
void name_one_by_one(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  constexpr size_t kMarked = 1024;
  BitSink sink = bits;
  for (size_t begin = 0; begin < count; begin += kMarked) {
    std::byte marks[kMarked / 8];
    const size_t size = std::min(kMarked, count - begin);
    mark_symbols(symbols + begin, size, kLargeDifference, marks);
    for (size_t i = 0; i < size; i += 64) {
      for (auto word = load<uint64_t>(marks + i / 8); word != 0; word &= word - 1) {
        const size_t place = begin + i + static_cast<size_t>(std::countr_zero(word));
        scalar::name_large_difference<T>(differences, place, symbols, sink);
      }
    }
  }
  bits = sink;
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

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
  for (size_t i = 0; i < 4; i += sizeof(T) < 4 ? 2 : 1) {
    const auto all = static_cast<unsigned>(widths[i]);
    if constexpr (sizeof(T) < 4) {
      bits.put(values[i], all);
    } else {
      const unsigned first = std::min(all, 32u);
      bits.put(values[i] & ((uint64_t{1} << first) - 1), first);
      bits.put(values[i] >> first, all - first);
    }
  }
}

// So many units at a time.
constexpr size_t kNamed = 1024;

template <typename T>
void name_block(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  std::byte large[kNamed * sizeof(T) + 64];
  uint8_t names[kNamed + kSymbolSlack];
  const size_t many = select_large<T>(differences, count, symbols, large);
  if (many == 0) return;
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (size_t i = 0; i < many; i += kLanes) {
    const __m256i valid = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(many - i)), lanes);
    const __m256i difference = load_lanes<T>(large + i * sizeof(T));
    const __m256i absolute = _mm256_abs_epi32(difference);
    // Bits behind the first two: a float's exponent tells how many there are. Without the second
    // bit nothing is rounded up to the next power of two.
    const __m256i first_bit = _mm256_andnot_si256(_mm256_srli_epi32(absolute, 1), absolute);
    const __m256i exponent =
        _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(first_bit)), 23),
                         _mm256_set1_epi32(255));
    const __m256i own = _mm256_and_si256(valid, _mm256_sub_epi32(exponent, _mm256_set1_epi32(128)));
    const __m256i half = _mm256_and_si256(_mm256_srlv_epi32(absolute, own), one);
    const __m256i number = _mm256_add_epi32(
        _mm256_slli_epi32(own, 2),
        _mm256_add_epi32(_mm256_add_epi32(half, half), _mm256_srli_epi32(difference, 31)));
    const __m256i name = _mm256_add_epi32(
        number, _mm256_set1_epi32(kLargeDifference - 4 * (int{kLeastLargeLog2} - 1)));
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128(name), _mm256_extracti128_si256(name, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(names + i), _mm_packus_epi16(halves, halves));
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, own), one);
    put_lanes<T>(_mm256_and_si256(absolute, mask), own, bits);
  }
  place_names(names, count, symbols);
}

template <typename T>
void name(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  if constexpr (sizeof(T) == 1) return name_one_by_one<T>(differences, count, symbols, bits);
  BitSink sink = bits;
  for (size_t i = 0; i < count; i += kNamed) {
    name_block<T>(differences + i * sizeof(T), std::min(kNamed, count - i), symbols + i, sink);
  }
  bits = sink;
}

#else

template <typename T>
void name(const std::byte* differences, size_t count, uint8_t* symbols, BitSink& bits) {
  name_one_by_one<T>(differences, count, symbols, bits);
}

#endif

#endif

void name_any(unsigned unit, const std::byte* differences, size_t count, uint8_t* symbols,
              BitSink& bits) {
  if (unit == 1) return name<uint8_t>(differences, count, symbols, bits);
  if (unit == 2) return name<uint16_t>(differences, count, symbols, bits);
  name<uint32_t>(differences, count, symbols, bits);
}

size_t read_any(unsigned unit, const uint8_t* symbols, size_t count, const std::byte* bits,
                size_t at, size_t end, std::byte* differences) {
  if (unit == 1) return read<uint8_t>(symbols, count, bits, at, end, differences);
  if (unit == 2) return read<uint16_t>(symbols, count, bits, at, end, differences);
  return read<uint32_t>(symbols, count, bits, at, end, differences);
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(name_any);
HWY_EXPORT(read_any);

void name_large_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols, BitSink& bits) {
  HWY_DYNAMIC_DISPATCH(name_any)(unit, differences, count, symbols, bits);
}

size_t read_large_differences(unsigned unit, const uint8_t* symbols, size_t count,
                              const std::byte* bits, size_t at, size_t end,
                              std::byte* differences) {
  return HWY_DYNAMIC_DISPATCH(read_any)(unit, symbols, count, bits, at, end, differences);
}

}  // namespace finedelta
#endif  // HWY_ONCE
