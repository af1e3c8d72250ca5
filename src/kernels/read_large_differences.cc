#include <array>

#include "kernels/large_differences.h"
#include "kernels/large_differences_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/read_large_differences.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/shuffles-inl.h"
#include "kernels/with_unit-inl.h"

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

size_t read_any(unsigned unit, const uint8_t* symbols, size_t count, const std::byte* bits,
                size_t at, size_t end, std::byte* differences) {
  return with_unit(unit, [&](auto type) {
    return read<decltype(type)>(symbols, count, bits, at, end, differences);
  });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(read_any);

size_t read_large_differences(unsigned unit, const uint8_t* symbols, size_t count,
                              const std::byte* bits, size_t at, size_t end,
                              std::byte* differences) {
  return HWY_DYNAMIC_DISPATCH(read_any)(unit, symbols, count, bits, at, end, differences);
}

}  // namespace finedelta
#endif  // HWY_ONCE
