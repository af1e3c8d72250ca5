#include "kernels/nibble_rans.h"

#include <bit>
#include <type_traits>

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
constexpr std::array<uint64_t, 256> kLastPlaces = make_last_places();

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
constexpr NibbleClasses kNibbleClasses = make_nibble_classes();

// A number as a type.
template <size_t kValue>
constexpr std::integral_constant<size_t, kValue> constant{};

}  // namespace
}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_NIBBLE_RANS_TABLES

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
  explicit HWY_INLINE Lookup(const ClassTable& table)
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
  explicit HWY_INLINE EncodeLookup(const NibbleTable& table)
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
