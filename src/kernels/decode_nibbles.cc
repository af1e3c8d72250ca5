#include <algorithm>
#include <bit>
#include <type_traits>

#include "kernels/nibble_rans.h"
#include "kernels/nibble_rans_scalar.h"
#include "kernels/nibble_rans_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/decode_nibbles.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

namespace hn = hwy::HWY_NAMESPACE;

template <size_t kLanes>
using D = hn::FixedTag<uint32_t, kLanes>;
template <size_t kLanes>
using V = hn::Vec<D<kLanes>>;
template <size_t kLanes>
using M = hn::Mask<D<kLanes>>;

// The widest vector.
constexpr size_t kWidest = HWY_TARGET <= HWY_AVX3 ? 16 : 8;

// So many vectors of nibbles are packed at once, whichever states they come from.
constexpr size_t kSteps = 4;

// Which lanes take a word: their state became too low.
template <size_t kLanes>
HWY_INLINE M<kLanes> is_low(V<kLanes> states) {
  const D<kLanes> d;
  return hn::Eq(hn::ShiftRight<16>(states), hn::Zero(d));
}

// The lanes of `wanted` take the next words, in order.
template <size_t kLanes>
HWY_INLINE V<kLanes> take_words(M<kLanes> wanted, V<kLanes> states, const uint16_t*& next) {
  const D<kLanes> d;
  const hn::Rebind<uint16_t, D<kLanes>> d16;
  const V<kLanes> words = hn::PromoteTo(d, hn::LoadU(d16, next));
#if HWY_TARGET <= HWY_AVX3
  next += std::popcount(static_cast<unsigned>(wanted.raw));
  if constexpr (kLanes == 16) {
    const __m512i placed = _mm512_maskz_expand_epi32(wanted.raw, words.raw);
    return V<kLanes>{
        _mm512_mask_or_epi32(states.raw, wanted.raw, _mm512_slli_epi32(states.raw, 16), placed)};
  } else {
    const __m256i placed = _mm256_maskz_expand_epi32(wanted.raw, words.raw);
    return V<kLanes>{
        _mm256_mask_or_epi32(states.raw, wanted.raw, _mm256_slli_epi32(states.raw, 16), placed)};
  }
#else
  const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(wanted.raw)));
  next += std::popcount(mask);
  const V<kLanes> placed =
      hn::TableLookupLanes(words, hn::SetTableIndices(d, kWordPlaces[mask].data()));
  return hn::IfThenElse(wanted, hn::Or(hn::ShiftLeft<16>(states), placed), states);
#endif
}

#if HWY_TARGET == HWY_AVX2

// Comparisons give minus the number of ones, of which a look-up takes the lowest three bits.
template <size_t kLanes>
HWY_INLINE V<kLanes> load_table(const uint32_t* table) {
  return V<kLanes>{_mm256_permutevar8x32_epi32(hn::Load(D<kLanes>(), table).raw,
                                               _mm256_setr_epi32(0, 7, 6, 5, 4, 3, 2, 1))};
}

template <size_t kLanes>
HWY_INLINE hn::Indices256<uint32_t> class_of(V<kLanes> slot, const V<kLanes> (&bound)[4]) {
  const auto above = [&](unsigned k)
                         HWY_ATTR { return _mm256_cmpgt_epi32(slot.raw, bound[k].raw); };
  return {
      _mm256_add_epi32(_mm256_add_epi32(above(0), above(1)), _mm256_add_epi32(above(2), above(3)))};
}

#else

template <size_t kLanes>
HWY_INLINE V<kLanes> load_table(const uint32_t* table) {
  return hn::Load(D<kLanes>(), table);
}

template <size_t kLanes>
HWY_INLINE auto class_of(V<kLanes> slot, const V<kLanes> (&bound)[4]) {
  // Sign bits, added as a tree: what a state needs before its next nibble is the limit of speed.
  const auto above = [&](unsigned k) { return hn::ShiftRight<31>(hn::Sub(bound[k], slot)); };
  const V<kLanes> k = hn::Add(hn::Add(above(0), above(1)), hn::Add(above(2), above(3)));
  return hn::IndicesFromVec(D<kLanes>(), k);
}

#endif

// For each class, how many ones a nibble has, what belongs to it.
template <size_t kLanes>
struct Lookup {
  explicit HWY_INLINE Lookup(const RansTable& table)
      : frequency(load_table<kLanes>(table.frequency.data())),
        start(load_table<kLanes>(table.start.data())),
        reciprocal(load_table<kLanes>(table.reciprocal.data())) {
    alignas(64) constexpr uint32_t kFirst[16] = {0, 1, 5, 11, 15};
    first = load_table<kLanes>(kFirst);
    for (unsigned k = 0; k < 4; ++k) bound[k] = hn::Set(D<kLanes>(), table.start[k + 1] - 1);
  }
  V<kLanes> frequency, start, reciprocal, first;
  V<kLanes> bound[4];
};

// A place in kNibbleOrder for each lane, and the states without it.
template <size_t kLanes>
struct Step {
  V<kLanes> ordinals, states;
};

template <size_t kLanes>
HWY_INLINE Step<kLanes> step(const Lookup<kLanes>& lookup, V<kLanes> states) {
  const D<kLanes> d;
  const V<kLanes> slot = hn::And(states, hn::Set(d, (1u << kNibbleSlotBits) - 1));
  const auto places = class_of<kLanes>(slot, lookup.bound);
  const V<kLanes> frequency = hn::TableLookupLanes(lookup.frequency, places);
  const V<kLanes> within = hn::Sub(slot, hn::TableLookupLanes(lookup.start, places));
  const V<kLanes> place = hn::ShiftRight<kQuotientShift>(
      hn::Mul(within, hn::TableLookupLanes(lookup.reciprocal, places)));
  const V<kLanes> quotient = hn::Sub(hn::ShiftRight<kNibbleSlotBits>(states), place);
  return {.ordinals = hn::Add(hn::TableLookupLanes(lookup.first, places), place),
          .states = hn::Add(hn::Mul(frequency, quotient), within)};
}

// One nibble of each lane.
template <size_t kLanes>
HWY_INLINE V<kLanes> decode_vector(const Lookup<kLanes>& lookup, V<kLanes>& states,
                                   const uint16_t*& next) {
  const Step<kLanes> moved = step(lookup, states);
  states = take_words<kLanes>(is_low<kLanes>(moved.states), moved.states, next);
  return moved.ordinals;
}

// Only of the first `active` lanes; the others are nibble 0.
template <size_t kLanes>
HWY_INLINE V<kLanes> decode_some(const Lookup<kLanes>& lookup, size_t active, V<kLanes>& states,
                                 const uint16_t*& next) {
  const M<kLanes> lanes = hn::FirstN(D<kLanes>(), active);
  const Step<kLanes> moved = step(lookup, states);
  const M<kLanes> low = hn::And(is_low<kLanes>(moved.states), lanes);
  states = hn::IfThenElse(lanes, take_words<kLanes>(low, moved.states, next), states);
  return hn::IfThenElseZero(lanes, moved.ordinals);
}

// Stores the nibbles of kSteps vectors.
HWY_INLINE void store_nibbles(const V<8> (&ordinals)[kSteps], std::byte* bits) {
  const auto raw = [&](size_t i) { return ordinals[i].raw; };
  const __m256i mixed =
      _mm256_packus_epi16(_mm256_packus_epi32(raw(0), raw(1)), _mm256_packus_epi32(raw(2), raw(3)));
  const __m256i ordered =
      _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  const __m128i order = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kNibbleOrder.data()));
  const __m256i nibbles = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(order), ordered);
  const __m256i pairs = _mm256_maddubs_epi16(nibbles, _mm256_set1_epi16(0x1001));
  const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi16(pairs, pairs), 8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bits), _mm256_castsi256_si128(halves));
}

#if HWY_TARGET <= HWY_AVX3
HWY_INLINE void store_nibbles(const V<16> (&ordinals)[kSteps], std::byte* bits) {
  const auto raw = [&](size_t i) { return ordinals[i].raw; };
  const __m512i mixed =
      _mm512_packus_epi16(_mm512_packus_epi32(raw(0), raw(1)), _mm512_packus_epi32(raw(2), raw(3)));
  const __m512i ordered = _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), mixed);
  const __m128i order = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kNibbleOrder.data()));
  const __m512i nibbles = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(order), ordered);
  const __m512i pairs = _mm512_maddubs_epi16(nibbles, _mm512_set1_epi16(0x1001));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(bits), _mm512_cvtepi16_epi8(pairs));
}
#endif

// What is left at the end of a node or of all words: a vector at a time, so that no more than a
// vector's words are taken from behind `limit`. `i` nibbles are done, whole vectors.
template <size_t kLanes>
const uint16_t* decode_rest(const Lookup<kLanes>& lookup, RansStates& rans, size_t i, size_t count,
                            const uint16_t* next, const uint16_t* limit, std::byte* bits) {
  const D<kLanes> d;
  constexpr size_t kRound = kSteps * kLanes;
  for (; i < count && next <= limit; i += kRound) {
    V<kLanes> ordinals[kSteps] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    const size_t round = std::min(count - i, kRound);
    for (size_t v = 0; v * kLanes < round && next <= limit; ++v) {
      uint32_t* const states = rans.state.data() + ((i + v * kLanes) & (rans.lanes - 1));
      V<kLanes> vector = hn::LoadU(d, states);
      ordinals[v] = decode_some(lookup, round - v * kLanes, vector, next);
      hn::StoreU(vector, d, states);
    }
    std::byte packed[kRound / 2];
    store_nibbles(ordinals, packed);
    // Whole words only, as the bits have room for.
    for (size_t at = 0; at < round; at += 16) {
      store(bits + (i + at) / 2, load<uint64_t>(packed + at / 2));
    }
  }
  return next;
}

// With the states of kVectors vectors, which are all there are unless they are kSteps, kept in
// registers.
template <size_t kLanes, size_t kVectors>
const uint16_t* decode_lanes(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                             const uint16_t* limit, std::byte* bits) {
  const D<kLanes> d;
  constexpr ptrdiff_t kRound = kSteps * kLanes;
  const Lookup<kLanes> lookup(kClassTables[skew]);
  const bool all = rans.lanes == kVectors * kLanes;
  uint32_t* states = rans.state.data();
  V<kLanes> state[kVectors];
  for (size_t v = 0; v < kVectors; ++v) state[v] = hn::LoadU(d, states + v * kLanes);
  size_t i = 0;
  while (i + kRound <= count && limit - next >= kRound) {
    V<kLanes> ordinals[kSteps];
    HWY_UNROLL(4) for (size_t v = 0; v < kSteps; ++v) {
      ordinals[v] = decode_vector(lookup, state[v % kVectors], next);
    }
    store_nibbles(ordinals, bits + i / 2);
    i += kRound;
    if (all) continue;
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(state[v], d, states + v * kLanes);
    states = rans.state.data() + (i & (rans.lanes - 1));
    for (size_t v = 0; v < kVectors; ++v) state[v] = hn::LoadU(d, states + v * kLanes);
  }
  for (size_t v = 0; v < kVectors; ++v) hn::StoreU(state[v], d, states + v * kLanes);
  return decode_rest(lookup, rans, i, count, next, limit, bits);
}

// A number as a type.
template <size_t kValue>
constexpr std::integral_constant<size_t, kValue> constant{};

const uint16_t* decode(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                       const uint16_t* limit, std::byte* bits) {
  const auto by = [&](auto lanes, auto vectors) {
    return decode_lanes<lanes(), vectors()>(rans, skew, count, next, limit, bits);
  };
  if (rans.lanes < 8) return scalar::decode_nibbles(rans, skew, 0, count, next, limit, bits);
  if (rans.lanes == 8) return by(constant<8>, constant<1>);
  if (rans.lanes == kWidest) return by(constant<kWidest>, constant<1>);
  if (rans.lanes == 2 * kWidest) return by(constant<kWidest>, constant<2>);
  return by(constant<kWidest>, constant<kSteps>);
}

#else

const uint16_t* decode(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                       const uint16_t* limit, std::byte* bits) {
  return scalar::decode_nibbles(rans, skew, 0, count, next, limit, bits);
}

#endif

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(decode);

const uint16_t* decode_nibbles(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                               const uint16_t* limit, std::byte* bits) {
  return HWY_DYNAMIC_DISPATCH(decode)(rans, skew, count, next, limit, bits);
}

}  // namespace finedelta
#endif  // HWY_ONCE
