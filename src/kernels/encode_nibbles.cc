#include <algorithm>
#include <array>
#include <bit>

#include "kernels/nibble_rans.h"
#include "kernels/nibble_rans_scalar.h"
#include "kernels/nibble_rans_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/encode_nibbles.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3

HWY_INLINE __m512i high_product(__m512i a, __m512i b) {
  const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a, b), 32);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  return _mm512_mask_mov_epi32(even, 0xAAAA, odd);
}

// The next nibbles, one in each lane: 16 of 8 bytes, or 8 of 4.
HWY_INLINE __m512i load_nibbles(const std::byte* bits, size_t count) {
  const __m128i bytes =
      count == 16 ? _mm_cvtsi64_si128(load<int64_t>(bits)) : _mm_cvtsi32_si128(load<int32_t>(bits));
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(bytes, mask);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
  return _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(low, high));
}

struct EncodeLookup {
  explicit HWY_INLINE EncodeLookup(const RansTable& table)
      : frequency(_mm512_load_si512(table.frequency.data())),
        start(_mm512_load_si512(table.start.data())),
        reciprocal(_mm512_load_si512(table.reciprocal.data())) {}
  __m512i frequency, start, reciprocal;
};

// One nibble of each active lane.
HWY_INLINE __m512i encode_vector(const EncodeLookup& lookup, __m512i nibble, __mmask16 active,
                                 __m512i state, uint16_t*& words) {
  const __m512i frequency = _mm512_permutexvar_epi32(nibble, lookup.frequency);
  const __mmask16 full = _mm512_mask_cmpge_epu32_mask(
      active, _mm512_srli_epi32(state, 32 - kNibbleSlotBits), frequency);
  const __m256i low = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, state));
  const int emitted = std::popcount(static_cast<unsigned>(full));
  words -= emitted;
  _mm256_mask_storeu_epi16(words, static_cast<__mmask16>((1u << emitted) - 1), low);
  const __m512i kept = _mm512_mask_srli_epi32(state, full, state, 16);
  __m512i quotient = high_product(kept, _mm512_permutexvar_epi32(nibble, lookup.reciprocal));
  __m512i rest = _mm512_sub_epi32(kept, _mm512_mullo_epi32(quotient, frequency));
  const __mmask16 over = _mm512_cmpge_epu32_mask(rest, frequency);
  quotient = _mm512_mask_add_epi32(quotient, over, quotient, _mm512_set1_epi32(1));
  rest = _mm512_mask_sub_epi32(rest, over, rest, frequency);
  const __m512i slot = _mm512_add_epi32(rest, _mm512_permutexvar_epi32(nibble, lookup.start));
  return _mm512_mask_add_epi32(state, active, _mm512_slli_epi32(quotient, kNibbleSlotBits), slot);
}

uint16_t* encode(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                 uint16_t* words) {
  if (rans.lanes < 8) return scalar::encode_nibbles(rans, skew, bits, 0, count, words);
  const EncodeLookup lookup(kNibbleTables[skew]);
  const size_t lanes = std::min(rans.lanes, 16u);
  for (size_t end = count; end > 0;) {
    const size_t i = (end - 1) / lanes * lanes;
    uint32_t* const states = rans.state.data() + (i & (rans.lanes - 1));
    const auto active = static_cast<__mmask16>((1u << (end - i)) - 1);
    const __m512i nibbles = load_nibbles(bits + i / 2, lanes);
    _mm512_storeu_si512(states,
                        encode_vector(lookup, nibbles, active, _mm512_loadu_si512(states), words));
    end = i;
  }
  return words;
}

#elif HWY_TARGET == HWY_AVX2

HWY_INLINE __m256i high_product(__m256i a, __m256i b) {
  const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  return _mm256_blend_epi32(even, odd, 0xAA);
}

// What frequencies, starts and reciprocals of all nibbles with as many ones are; a vector looks up
// 8 numbers at most.
struct EncodeLookup {
  explicit HWY_INLINE EncodeLookup(unsigned skew)
      : frequency(load8(kClassTables[skew].frequency)), start(load8(kClassTables[skew].start)) {
    alignas(32) std::array<uint32_t, 8> by_class{};
    for (unsigned k = 0; k <= 4; ++k) {
      by_class[k] = kNibbleTables[skew].reciprocal[(1u << k) - 1];
    }
    reciprocal = _mm256_load_si256(reinterpret_cast<const __m256i*>(by_class.data()));
  }
  static HWY_INLINE __m256i load8(const std::array<uint32_t, 16>& from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from.data()));
  }
  __m256i frequency, start, reciprocal;
};

// The lower halves of the lanes of `full` come before `words`, in order. There is room for 8.
HWY_INLINE uint16_t* put_words(__m256i states, __m256i full, uint16_t* words) {
  const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(full)));
  const __m256i low = _mm256_and_si256(states, _mm256_set1_epi32(0xFFFF));
  const __m128i halves =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  const __m128i lanes = _mm_cvtsi64_si128(static_cast<int64_t>(kLastPlaces[mask]));
  const __m128i twice = _mm_slli_epi16(_mm_cvtepu8_epi16(lanes), 1);
  const __m128i places =
      _mm_add_epi8(_mm_or_si128(twice, _mm_slli_epi16(twice, 8)), _mm_set1_epi16(0x100));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words - 8), _mm_shuffle_epi8(halves, places));
  return words - std::popcount(mask);
}

uint16_t* encode(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                 uint16_t* words) {
  constexpr size_t kLanes = 8;
  if (rans.lanes < kLanes) return scalar::encode_nibbles(rans, skew, bits, 0, count, words);
  size_t i = count - count % kLanes;
  words = scalar::encode_nibbles(rans, skew, bits, i, count, words);
  const EncodeLookup lookup(skew);
  const __m128i ones = _mm_load_si128(reinterpret_cast<const __m128i*>(&kNibbleClasses.ones));
  const __m128i ranks = _mm_load_si128(reinterpret_cast<const __m128i*>(&kNibbleClasses.rank));
  while (i > 0) {
    i -= kLanes;
    auto* const states = reinterpret_cast<__m256i*>(rans.state.data() + (i & (rans.lanes - 1)));
    __m256i state = _mm256_loadu_si256(states);
    const __m128i bytes = _mm_cvtsi32_si128(load<int32_t>(bits + i / 2));
    const __m128i nibbles =
        _mm_and_si128(_mm_unpacklo_epi8(bytes, _mm_srli_epi16(bytes, 4)), _mm_set1_epi8(15));
    const __m256i k = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(ones, nibbles));
    const __m256i rank = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(ranks, nibbles));
    const __m256i frequency = _mm256_permutevar8x32_epi32(lookup.frequency, k);
    const __m256i start = _mm256_add_epi32(_mm256_permutevar8x32_epi32(lookup.start, k),
                                           _mm256_mullo_epi32(rank, frequency));
    const __m256i keeps =
        _mm256_cmpgt_epi32(frequency, _mm256_srli_epi32(state, 32 - kNibbleSlotBits));
    words = put_words(state, _mm256_xor_si256(keeps, _mm256_set1_epi32(-1)), words);
    state = _mm256_blendv_epi8(_mm256_srli_epi32(state, 16), state, keeps);
    __m256i quotient = high_product(state, _mm256_permutevar8x32_epi32(lookup.reciprocal, k));
    __m256i rest = _mm256_sub_epi32(state, _mm256_mullo_epi32(quotient, frequency));
    const __m256i under = _mm256_cmpgt_epi32(frequency, rest);
    const __m256i over = _mm256_xor_si256(under, _mm256_set1_epi32(-1));
    quotient = _mm256_sub_epi32(quotient, over);
    rest = _mm256_sub_epi32(rest, _mm256_and_si256(over, frequency));
    state = _mm256_add_epi32(_mm256_slli_epi32(quotient, kNibbleSlotBits),
                             _mm256_add_epi32(rest, start));
    _mm256_storeu_si256(states, state);
  }
  return words;
}

#else

uint16_t* encode(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                 uint16_t* words) {
  return scalar::encode_nibbles(rans, skew, bits, 0, count, words);
}

#endif

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(encode);

uint16_t* encode_nibbles(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                         uint16_t* end) {
  return HWY_DYNAMIC_DISPATCH(encode)(rans, skew, bits, count, end);
}

}  // namespace finedelta
#endif  // HWY_ONCE
