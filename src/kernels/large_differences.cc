#include "kernels/large_differences.h"

#include "kernels/large_differences_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/large_differences.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3

// Sixteen at a time: where each one's bits begin is a sum of the widths before it.

constexpr size_t kLanes = 16;
constexpr size_t kWidest = 30;

// In each lane the sum of that lane and all before it.
HWY_INLINE __m512i running_sum(__m512i x) {
  const __m512i zero = _mm512_setzero_si512();
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
  x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
  return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

// For each of 8 lanes 32 bits from bit `place` (32-bit numbers) behind `bits` on.
HWY_INLINE __m256i gather_bits(const std::byte* bits, __m256i place) {
  const __m512i words = _mm512_i32gather_epi64(_mm256_srli_epi32(place, 3), bits, 1);
  const __m512i shift = _mm512_cvtepu32_epi64(_mm256_and_si256(place, _mm256_set1_epi32(7)));
  return _mm512_cvtepi64_epi32(_mm512_srlv_epi64(words, shift));
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
  for (; i + kLanes <= count && at + kLanes * kWidest <= end; i += kLanes) {
    const __m512i number = _mm512_sub_epi32(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + i))),
        _mm512_set1_epi32(kLargeDifference));
    const __m512i own =
        _mm512_add_epi32(_mm512_srli_epi32(number, 2), _mm512_set1_epi32(kLeastLargeLog2 - 1));
    const __m512i ends = running_sum(own);
    const __m512i places =
        _mm512_add_epi32(_mm512_sub_epi32(ends, own), _mm512_set1_epi32(static_cast<int>(at % 8)));
    const std::byte* const from = bits + at / 8;
    const __m512i low = _mm512_inserti64x4(
        _mm512_castsi256_si512(gather_bits(from, _mm512_castsi512_si256(places))),
        gather_bits(from, _mm512_extracti64x4_epi64(places, 1)), 1);
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

#else

template <typename T>
size_t read(const uint8_t* symbols, size_t count, const std::byte* bits, size_t at, size_t end,
            std::byte* differences) {
  return scalar::read_large_differences<T>(symbols, 0, count, bits, at, end, differences);
}

#endif

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

HWY_EXPORT(read_any);

size_t read_large_differences(unsigned unit, const uint8_t* symbols, size_t count,
                              const std::byte* bits, size_t at, size_t end,
                              std::byte* differences) {
  return HWY_DYNAMIC_DISPATCH(read_any)(unit, symbols, count, bits, at, end, differences);
}

}  // namespace finedelta
#endif  // HWY_ONCE
