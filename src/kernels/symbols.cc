#include "kernels/symbols.h"

#include <algorithm>
#include <bit>

#include "kernels/symbols_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/symbols.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/shuffles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// AVX-512 VBMI2: 64 symbols are compressed or expanded by one instruction. Stores go through a
// register: compressing straight into memory is slow on some CPUs.

HWY_INLINE __m512i load_symbols(const uint8_t* from) { return _mm512_loadu_si512(from); }

HWY_INLINE void append(__mmask64 wanted, __m512i symbols, uint8_t*& to) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(wanted, symbols));
  to += std::popcount(static_cast<uint64_t>(wanted));
}

void mark(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits) {
  const __m512i limit = _mm512_set1_epi8(static_cast<char>(least));
  for (size_t i = 0; i < count; i += 64) {
    const uint64_t marked = _mm512_cmpge_epu8_mask(load_symbols(symbols + i), limit);
    store(bits + i / 8, marked & valid_bits(i, count));
  }
}

size_t split(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left, uint8_t* right,
             std::byte* bits) {
  const __m512i limit = _mm512_set1_epi8(static_cast<char>(split));
  size_t went_right = 0;
  for (size_t i = 0; i < count; i += 64) {
    const __m512i loaded = load_symbols(symbols + i);
    const uint64_t valid = valid_bits(i, count);
    const uint64_t goes_right = _mm512_cmpge_epu8_mask(loaded, limit) & valid;
    store(bits + i / 8, goes_right);
    went_right += static_cast<size_t>(std::popcount(goes_right));
    if (right != nullptr) append(goes_right, loaded, right);
    if (left != nullptr) append(~goes_right & valid, loaded, left);
  }
  return went_right;
}

size_t select(const uint8_t* symbols, size_t count, uint8_t least, uint8_t* selected) {
  const __m512i limit = _mm512_set1_epi8(static_cast<char>(least));
  uint8_t* next = selected;
  for (size_t i = 0; i < count; i += 64) {
    const __m512i loaded = load_symbols(symbols + i);
    append(_mm512_cmpge_epu8_mask(loaded, limit) & valid_bits(i, count), loaded, next);
  }
  return static_cast<size_t>(next - selected);
}

template <bool kLeft, bool kRight>
void join_branches(const std::byte* bits, size_t count, Branch left, Branch right,
                   uint8_t* symbols) {
  const __m512i left_constant = _mm512_set1_epi8(static_cast<char>(left.constant));
  const __m512i right_constant = _mm512_set1_epi8(static_cast<char>(right.constant));
  for (size_t i = 0; i < count; i += 64) {
    const auto from_right = load<uint64_t>(bits + i / 8);
    __m512i joined = left_constant;
    if constexpr (kLeft) {
      joined = _mm512_maskz_expand_epi8(~from_right, load_symbols(left.symbols));
      left.symbols += std::popcount(~from_right);
    }
    if constexpr (kRight) {
      joined = _mm512_mask_expand_epi8(joined, from_right, load_symbols(right.symbols));
      right.symbols += std::popcount(from_right);
    } else {
      joined = _mm512_mask_mov_epi8(joined, from_right, right_constant);
    }
    _mm512_storeu_si512(symbols + i, joined);
  }
}

// So many contexts at a time.
constexpr size_t kMostAtOnce = 5;

// Appends the symbols of contexts from `first` on to `streams` streams, the last of which is for
// all others too.
void partition_streams(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t first,
                       size_t streams, uint8_t** next) {
  const __m512i last = _mm512_set1_epi8(static_cast<char>(first + streams - 1));
  for (size_t i = 0; i < count; i += 64) {
    const __m512i context = _mm512_min_epu8(load_symbols(contexts + i), last);
    const __m512i loaded = load_symbols(symbols + i);
    const uint64_t valid = valid_bits(i, count);
    for (size_t k = 0; k < streams; ++k) {
      const __m512i wanted = _mm512_set1_epi8(static_cast<char>(first + k));
      append(_mm512_mask_cmpeq_epu8_mask(valid, context, wanted), loaded, next[k]);
    }
  }
}

#elif HWY_TARGET == HWY_SCALAR

void mark(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits) {
  scalar::mark_symbols(symbols, count, least, bits);
}

size_t select(const uint8_t* symbols, size_t count, uint8_t least, uint8_t* selected) {
  return scalar::select_symbols(symbols, count, least, selected);
}

size_t split(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left, uint8_t* right,
             std::byte* bits) {
  return scalar::split_symbols(symbols, count, split, left, right, bits);
}

void join(const std::byte* bits, size_t count, Branch left, Branch right, uint8_t* symbols) {
  scalar::join_symbols(bits, count, left, right, symbols);
}

void partition(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t streams,
               uint8_t* const* stream) {
  scalar::partition_symbols(contexts, symbols, count, streams, stream);
}

#else

// Elsewhere 8 symbols at a time are shuffled by what a table says for their mask.

// A bit for each of 64 symbols that is at least `limit`; those from `count` on are 0.
HWY_INLINE uint64_t mark_64(const uint8_t* symbols, size_t count, VWide limit) {
  uint64_t word = 0;
  HWY_UNROLL(4) for (size_t i = 0; i < 64; i += kWide) {
    const VWide loaded = hn::LoadU(DWide(), symbols + i);
    word |= uint64_t{bits_of_wide(hn::Eq(hn::Max(loaded, limit), loaded))} << i;
  }
  return word & valid_bits(0, count);
}

void mark(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits) {
  const VWide limit = hn::Set(DWide(), least);
  for (size_t i = 0; i < count; i += 64) {
    store(bits + i / 8, mark_64(symbols + i, count - i, limit));
  }
}

size_t select(const uint8_t* symbols, size_t count, uint8_t least, uint8_t* selected) {
  const VWide limit = hn::Set(DWide(), least);
  uint8_t* left = nullptr;  // not wanted
  uint8_t* next = selected;
  for (size_t i = 0; i < count; i += 64) {
    const size_t size = std::min<size_t>(count - i, 64);
    const uint64_t word = mark_64(symbols + i, size, limit);
    part_64<false, true>(word, symbols + i, size, left, next);
  }
  return static_cast<size_t>(next - selected);
}

template <bool kLeft, bool kRight>
size_t split_sides(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left,
                   uint8_t* right, std::byte* bits) {
  const VWide limit = hn::Set(DWide(), split);
  size_t rights = 0;
  for (size_t i = 0; i < count; i += 64) {
    const size_t size = std::min<size_t>(count - i, 64);
    const uint64_t word = mark_64(symbols + i, size, limit);
    store(bits + i / 8, word);
    rights += static_cast<size_t>(std::popcount(word));
    if (size == 64) {
      part_64<kLeft, kRight>(word, symbols + i, 64, left, right);
    } else {
      part_64<kLeft, kRight>(word, symbols + i, size, left, right);
    }
  }
  return rights;
}

size_t split(const uint8_t* symbols, size_t count, uint8_t split, uint8_t* left, uint8_t* right,
             std::byte* bits) {
  if (left != nullptr && right != nullptr) {
    return split_sides<true, true>(symbols, count, split, left, right, bits);
  }
  if (left != nullptr) return split_sides<true, false>(symbols, count, split, left, right, bits);
  if (right != nullptr) return split_sides<false, true>(symbols, count, split, left, right, bits);
  return split_sides<false, false>(symbols, count, split, left, right, bits);
}

// Both constants: bits become bytes.
void join_constants(const std::byte* bits, size_t count, uint8_t left, uint8_t right,
                    uint8_t* symbols) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < count; i += lanes) {
    const auto from_right = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(bits + i / 8));
    hn::StoreU(hn::IfThenElse(from_right, hn::Set(d, right), hn::Set(d, left)), d, symbols + i);
  }
}

template <bool kLeft, bool kRight>
void join_branches(const std::byte* bits, size_t count, Branch left, Branch right,
                   uint8_t* symbols) {
  if constexpr (!kLeft && !kRight) {
    return join_constants(bits, count, left.constant, right.constant, symbols);
  }
  const DWide d;
  alignas(32) constexpr uint8_t kLanes[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                              0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const VWide lanes = hn::Load(d, kLanes);
  const VWide one = hn::Set(d, 1);
  const VWide ones = hidden_ones();
  VWide from_left = hn::Set(d, left.constant);
  VWide from_right = hn::Set(d, right.constant);
  for (size_t i = 0; i < count; i += kWide, bits += kWide / 8) {
    uint32_t word = load<uint16_t>(bits);
    if constexpr (kWide == 32) word = load<uint32_t>(bits);
    const size_t rights = ones_of(word);
    const size_t first_rights = ones_of(word & 0xFFFF);
    const auto goes_right = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(bits));
    const VWide ranks = running_sums(hn::And(hn::VecFromMask(d, goes_right), one), ones);
    if constexpr (kLeft) {
      from_left =
          hn::TableLookupBytes(load_blocks(left.symbols, 16 - first_rights), hn::Sub(lanes, ranks));
      left.symbols += kWide - rights;
    }
    if constexpr (kRight) {
      from_right =
          hn::TableLookupBytes(load_blocks(right.symbols, first_rights), hn::Sub(ranks, one));
      right.symbols += rights;
    }
    hn::StoreU(hn::IfThenElse(goes_right, from_right, from_left), d, symbols + i);
  }
}

// So many contexts at a time.
constexpr size_t kMostAtOnce = 4;

// Appends the symbols of contexts from `first` on to kStreams streams, the last of which is for all
// others too. Their number is a constant, so that places in them stay in registers.
template <size_t kStreams>
void partition_some(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t first,
                    uint8_t** next) {
  const DWide d;
  uint8_t* to[kStreams];
  VWide wanted[kStreams];
  for (size_t k = 0; k < kStreams; ++k) {
    to[k] = next[k];
    wanted[k] = hn::Set(d, static_cast<uint8_t>(first + k));
  }
  for (size_t i = 0; i < count; i += kWide) {
    const VWide context = hn::LoadU(d, contexts + i);
    uint32_t masks[kStreams];
    uint32_t left = static_cast<uint32_t>(valid_bits(i, count));
    HWY_UNROLL(8) for (size_t k = 0; k + 1 < kStreams; ++k) {
      masks[k] = bits_of_wide(hn::Eq(context, wanted[k])) & left;
      left ^= masks[k];
    }
    masks[kStreams - 1] = left;
    HWY_UNROLL(4) for (size_t j = 0; j < kWide; j += 8) {
      const V16 loaded = hn::LoadU(D16(), symbols + i + j);
      HWY_UNROLL(8) for (size_t k = 0; k < kStreams; ++k) {
        append_8(masks[k] >> j & 255, loaded, to[k]);
      }
    }
  }
  std::copy_n(to, kStreams, next);
}

// The same with `streams` streams, at most kStreams.
template <size_t kStreams = kMostAtOnce>
void partition_streams(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t first,
                       size_t streams, uint8_t** next) {
  if (streams == kStreams) return partition_some<kStreams>(contexts, symbols, count, first, next);
  if constexpr (kStreams > 1) {
    partition_streams<kStreams - 1>(contexts, symbols, count, first, streams, next);
  }
}

#endif

#if HWY_TARGET != HWY_SCALAR

// At a time, so that what is between two steps stays in the first-level cache.
constexpr size_t kBlock = 2048;

// At most kBlock symbols of contexts from `first` to `group` - 1. Where there are many, the later
// ones are taken to be rare: they are put together, and then parted.
void partition_block(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t first,
                     size_t group, uint8_t** next) {
  if (group - first <= kMostAtOnce) {
    return partition_streams(contexts, symbols, count, first, group - first, next);
  }
  constexpr size_t kAlone = kMostAtOnce - 1;
  uint8_t rare[kBlock + kSymbolSlack];
  uint8_t rare_contexts[kBlock + kSymbolSlack];
  const size_t many = select(contexts, count, static_cast<uint8_t>(first + kAlone), rare_contexts);
  uint8_t* to[kMostAtOnce];
  std::copy_n(next, kAlone, to);
  to[kAlone] = rare;
  partition_streams(contexts, symbols, count, first, kMostAtOnce, to);
  std::copy_n(to, kAlone, next);
  partition_block(rare_contexts, rare, many, first + kAlone, group, next + kAlone);
}

void partition(const uint8_t* contexts, const uint8_t* symbols, size_t count, size_t streams,
               uint8_t* const* stream) {
  std::array<uint8_t*, kMostStreams> next{};
  std::copy_n(stream, streams, next.begin());
  for (size_t i = 0; i < count; i += kBlock) {
    partition_block(contexts + i, symbols + i, std::min(kBlock, count - i), 0, streams,
                    next.data());
  }
}

void join(const std::byte* bits, size_t count, Branch left, Branch right, uint8_t* symbols) {
  if (left.symbols != nullptr && right.symbols != nullptr) {
    join_branches<true, true>(bits, count, left, right, symbols);
  } else if (left.symbols != nullptr) {
    join_branches<true, false>(bits, count, left, right, symbols);
  } else if (right.symbols != nullptr) {
    join_branches<false, true>(bits, count, left, right, symbols);
  } else {
    join_branches<false, false>(bits, count, left, right, symbols);
  }
}
#endif

// Compiled for each target: the others have an instruction that counts bits.
size_t ones(const std::byte* bits, size_t count) {
  size_t set = 0;
  for (size_t i = 0; i < count; i += 64) {
    set += static_cast<size_t>(std::popcount(load<uint64_t>(bits + i / 8)));
  }
  return set;
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(ones);
HWY_EXPORT(mark);
HWY_EXPORT(select);
HWY_EXPORT(split);
HWY_EXPORT(join);
HWY_EXPORT(partition);

size_t count_bits(const std::byte* bits, size_t count) {
  return HWY_DYNAMIC_DISPATCH(ones)(bits, count);
}

void mark_symbols(const uint8_t* symbols, size_t count, uint8_t least, std::byte* bits) {
  HWY_DYNAMIC_DISPATCH(mark)(symbols, count, least, bits);
}

size_t select_symbols(const uint8_t* symbols, size_t count, uint8_t least, uint8_t* selected) {
  return HWY_DYNAMIC_DISPATCH(select)(symbols, count, least, selected);
}

size_t split_symbols(const uint8_t* symbols, size_t count, uint8_t split_at, uint8_t* left,
                     uint8_t* right, std::byte* bits) {
  return HWY_DYNAMIC_DISPATCH(split)(symbols, count, split_at, left, right, bits);
}

void join_symbols(const std::byte* bits, size_t count, Branch left, Branch right,
                  uint8_t* symbols) {
  HWY_DYNAMIC_DISPATCH(join)(bits, count, left, right, symbols);
}

void partition_symbols(const uint8_t* contexts, const uint8_t* symbols, size_t count,
                       size_t streams, uint8_t* const* stream) {
  HWY_DYNAMIC_DISPATCH(partition)(contexts, symbols, count, streams, stream);
}

}  // namespace finedelta
#endif  // HWY_ONCE
