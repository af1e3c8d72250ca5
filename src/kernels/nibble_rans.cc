#include "kernels/nibble_rans.h"

#include "kernels/nibble_rans_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/nibble_rans.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef FINEDELTA_KERNELS_NIBBLE_RANS_TABLES
#define FINEDELTA_KERNELS_NIBBLE_RANS_TABLES

namespace finedelta {
namespace {

// What a vector looks up for k bits set, padded to 16 lanes. A quotient of at most 5 is
// (within * reciprocal) >> kQuotientShift, exact since within * frequency < 2^26.
constexpr unsigned kQuotientShift = 26;
struct ClassTable {
  alignas(64) std::array<uint32_t, 16> frequency{};
  alignas(64) std::array<uint32_t, 16> start{};
  alignas(64) std::array<uint32_t, 16> reciprocal{};
};

constexpr std::array<ClassTable, kMostCodedSkew + 1> make_class_tables() {
  std::array<ClassTable, kMostCodedSkew + 1> out{};
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
constexpr std::array<ClassTable, kMostCodedSkew + 1> kClassTables = make_class_tables();

// What the encoder looks up for each nibble. The quotient of a state is the high half of its
// product with the reciprocal, or one more.
struct NibbleTable {
  alignas(64) std::array<uint32_t, 16> frequency{};
  alignas(64) std::array<uint32_t, 16> start{};
  alignas(64) std::array<uint32_t, 16> reciprocal{};
};

constexpr std::array<NibbleTable, kMostCodedSkew + 1> make_nibble_tables() {
  std::array<NibbleTable, kMostCodedSkew + 1> out{};
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
constexpr std::array<NibbleTable, kMostCodedSkew + 1> kNibbleTables = make_nibble_tables();

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
alignas(64) constexpr std::array<std::array<uint32_t, 8>, 256> kWordPlaces = make_word_places();

}  // namespace
}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_NIBBLE_RANS_TABLES

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX3
using D32 = hn::FixedTag<uint32_t, 16>;
#else
using D32 = hn::FixedTag<uint32_t, 8>;
#endif
using V32 = hn::Vec<D32>;
constexpr size_t kVector = HWY_TARGET <= HWY_AVX3 ? 16 : 8;
constexpr size_t kWord = 16;  // nibbles

// The lanes of `wanted` take the next words, in order.
template <class M>
HWY_INLINE V32 take_words(M wanted, V32 states, const uint16_t*& next) {
  const D32 d;
  const hn::Rebind<uint16_t, D32> d16;
  const V32 words = hn::PromoteTo(d, hn::LoadU(d16, next));
  next += hn::CountTrue(d, wanted);
#if HWY_TARGET <= HWY_AVX3
  const V32 placed{_mm512_maskz_expand_epi32(wanted.raw, words.raw)};
#else
  uint8_t mask[8];
  hn::StoreMaskBits(d, wanted, mask);
  const V32 placed =
      hn::TableLookupLanes(words, hn::SetTableIndices(d, kWordPlaces[mask[0]].data()));
#endif
  return hn::IfThenElse(wanted, hn::Or(hn::ShiftLeft<16>(states), placed), states);
}

struct Lookup {
  explicit HWY_INLINE Lookup(const ClassTable& table)
      : frequency(hn::Load(D32(), table.frequency.data())),
        start(hn::Load(D32(), table.start.data())),
        reciprocal(hn::Load(D32(), table.reciprocal.data())) {
    alignas(64) constexpr uint32_t kFirst[16] = {0, 1, 5, 11, 15};
    first = hn::Load(D32(), kFirst);
    order =
        hn::BitCast(D32(), hn::LoadDup128(hn::Repartition<uint8_t, D32>(), kNibbleOrder.data()));
    for (unsigned k = 0; k < 4; ++k) bound[k] = hn::Set(D32(), table.start[k + 1] - 1);
  }
  V32 frequency, start, reciprocal, first, order;
  V32 bound[4];
};

// One nibble of each lane, of which only the `active` ones move on. kNibbleOrder begins with 0, so
// the three upper bytes of a lane stay 0.
HWY_INLINE V32 decode_vector(const Lookup& lookup, hn::Mask<D32> active, V32& states,
                             const uint16_t*& next) {
  const D32 d;
  const hn::RebindToSigned<D32> di;
  const V32 slot = hn::And(states, hn::Set(d, (1u << kNibbleSlotBits) - 1));
  V32 k = hn::Zero(d);
  for (const V32& bound : lookup.bound) {
    const auto above = hn::Gt(hn::BitCast(di, slot), hn::BitCast(di, bound));
    k = hn::Sub(k, hn::BitCast(d, hn::VecFromMask(di, above)));
  }
  const auto places = hn::IndicesFromVec(d, k);
  const V32 frequency = hn::TableLookupLanes(lookup.frequency, places);
  const V32 within = hn::Sub(slot, hn::TableLookupLanes(lookup.start, places));
  const V32 place = hn::ShiftRight<kQuotientShift>(
      hn::Mul(within, hn::TableLookupLanes(lookup.reciprocal, places)));
  const V32 quotient = hn::Sub(hn::ShiftRight<kNibbleSlotBits>(states), place);
  const V32 moved = hn::Add(hn::Mul(frequency, quotient), within);
  const V32 ordinal = hn::Add(hn::TableLookupLanes(lookup.first, places), place);
  const hn::Repartition<uint8_t, D32> d8;
  const V32 nibble =
      hn::BitCast(d, hn::TableLookupBytes(hn::BitCast(d8, lookup.order), hn::BitCast(d8, ordinal)));
  const auto low = hn::Eq(hn::ShiftRight<16>(moved), hn::Zero(d));
  states = hn::IfThenElse(active, take_words(hn::And(low, active), moved, next), states);
  return hn::IfThenElseZero(active, nibble);
}

// Sixteen nibbles, a byte each, as one word.
HWY_INLINE uint64_t pack_nibbles(const uint8_t* nibbles) {
  const hn::FixedTag<uint16_t, 8> d16;
  const hn::FixedTag<uint8_t, 8> d8;
  const auto pairs = hn::BitCast(d16, hn::LoadU(hn::FixedTag<uint8_t, 16>(), nibbles));
  const auto bytes = hn::TruncateTo(d8, hn::Or(pairs, hn::ShiftRight<4>(pairs)));
  return hn::GetLane(hn::BitCast(hn::FixedTag<uint64_t, 1>(), bytes));
}

// The next `active` nibbles, at most kWord of them, from the states behind `states`.
HWY_INLINE uint64_t decode_word(const Lookup& lookup, size_t active, uint32_t* states,
                                const uint16_t*& next) {
  const D32 d;
  const hn::RebindToSigned<D32> di;
  const hn::Rebind<uint8_t, D32> d8;
  uint8_t nibbles[kWord];
  for (size_t v = 0; v < kWord; v += kVector) {
    V32 vector = hn::LoadU(d, states + v);
    const auto lanes = hn::FirstN(d, active > v ? active - v : 0);
    const auto decoded = hn::BitCast(di, decode_vector(lookup, lanes, vector, next));
    hn::StoreU(hn::DemoteTo(d8, decoded), d8, nibbles + v);
    hn::StoreU(vector, d, states + v);
  }
  return pack_nibbles(nibbles);
}

const uint16_t* decode(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                       const uint16_t* limit, std::byte* bits) {
  if (rans.lanes < kWord) {
    return scalar::decode_nibbles(rans, skew, 0, count, next, limit, bits);
  }
  const Lookup lookup(kClassTables[skew]);
  const size_t mask = rans.lanes - 1;
  size_t i = 0;
  for (; i + kWord <= count && next <= limit; i += kWord) {
    store(bits + i / 2, decode_word(lookup, kWord, rans.state.data() + (i & mask), next));
  }
  if (i < count && next <= limit) {
    store(bits + i / 2, decode_word(lookup, count - i, rans.state.data() + (i & mask), next));
  }
  return next;
}

#else

const uint16_t* decode(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                       const uint16_t* limit, std::byte* bits) {
  return scalar::decode_nibbles(rans, skew, 0, count, next, limit, bits);
}

#endif

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3

HWY_INLINE __m512i high_product(__m512i a, __m512i b) {
  const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a, b), 32);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  return _mm512_mask_mov_epi32(even, 0xAAAA, odd);
}

// The nibbles of 8 bytes, one in each lane.
HWY_INLINE __m512i load_nibbles(const std::byte* bits) {
  const __m128i bytes = _mm_cvtsi64_si128(load<int64_t>(bits));
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(bytes, mask);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
  return _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(low, high));
}

uint16_t* encode(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                 uint16_t* words) {
  constexpr size_t kLanes = 16;
  if (rans.lanes < kLanes) return scalar::encode_nibbles(rans, skew, bits, 0, count, words);
  size_t i = count - count % kLanes;
  words = scalar::encode_nibbles(rans, skew, bits, i, count, words);
  const NibbleTable& table = kNibbleTables[skew];
  const __m512i frequencies = _mm512_load_si512(table.frequency.data());
  const __m512i starts = _mm512_load_si512(table.start.data());
  const __m512i reciprocals = _mm512_load_si512(table.reciprocal.data());
  while (i > 0) {
    i -= kLanes;
    uint32_t* const states = rans.state.data() + (i & (rans.lanes - 1));
    __m512i state = _mm512_loadu_si512(states);
    const __m512i nibble = load_nibbles(bits + i / 2);
    const __m512i frequency = _mm512_permutexvar_epi32(nibble, frequencies);
    const __mmask16 full =
        _mm512_cmpge_epu32_mask(_mm512_srli_epi32(state, 32 - kNibbleSlotBits), frequency);
    const __m256i low = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, state));
    const int emitted = std::popcount(static_cast<unsigned>(full));
    words -= emitted;
    _mm256_mask_storeu_epi16(words, static_cast<__mmask16>((1u << emitted) - 1), low);
    state = _mm512_mask_srli_epi32(state, full, state, 16);
    __m512i quotient = high_product(state, _mm512_permutexvar_epi32(nibble, reciprocals));
    __m512i rest = _mm512_sub_epi32(state, _mm512_mullo_epi32(quotient, frequency));
    const __mmask16 over = _mm512_cmpge_epu32_mask(rest, frequency);
    quotient = _mm512_mask_add_epi32(quotient, over, quotient, _mm512_set1_epi32(1));
    rest = _mm512_mask_sub_epi32(rest, over, rest, frequency);
    state = _mm512_add_epi32(_mm512_slli_epi32(quotient, kNibbleSlotBits), rest);
    state = _mm512_add_epi32(state, _mm512_permutexvar_epi32(nibble, starts));
    _mm512_storeu_si512(states, state);
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

HWY_EXPORT(decode);
HWY_EXPORT(encode);

uint16_t* encode_nibbles(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                         uint16_t* end) {
  return HWY_DYNAMIC_DISPATCH(encode)(rans, skew, bits, count, end);
}

const uint16_t* decode_nibbles(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                               const uint16_t* limit, std::byte* bits) {
  return HWY_DYNAMIC_DISPATCH(decode)(rans, skew, count, next, limit, bits);
}

}  // namespace finedelta
#endif  // HWY_ONCE
