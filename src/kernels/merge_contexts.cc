#include "kernels/merge_contexts.h"

#include <algorithm>
#include <array>
#include <bit>

#include "kernels/class_blocks.h"
#include "kernels/residual.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/merge_contexts.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/shuffles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// The map has masks: 64 symbols of each stream are expanded by one instruction. Places in the
// streams stay in memory: GCC keeps them in vectors otherwise, which is slower.
void merge(const uint64_t* map, const uint8_t* classes, size_t first, size_t count, size_t group,
           const uint8_t** next, uint8_t* symbols) {
  map += first / 64 * context_map_words(group);
  for (size_t i = 0; i < count; i += 64, map += context_map_words(group)) {
    const uint8_t** const of_class = next + (classes != nullptr ? classes[i / 64] * group : 0);
    __m512i merged = _mm512_setzero_si512();
    for (size_t k = 0; k < group; ++k) {
      merged = _mm512_mask_expand_epi8(merged, map[k], _mm512_loadu_si512(of_class[k]));
      of_class[k] += std::popcount(map[k]);
    }
    _mm512_storeu_si512(symbols + i, merged);
  }
}

#elif HWY_TARGET == HWY_SCALAR

void merge(const uint64_t* map, const uint8_t* classes, size_t first, size_t count, size_t group,
           const uint8_t** next, uint8_t* symbols) {
  const auto* const contexts = reinterpret_cast<const uint8_t*>(map) + first;
  for (size_t i = 0; i < count; ++i) {
    const size_t first_stream = classes == nullptr ? 0 : classes[i / 64] * group;
    symbols[i] = *next[first_stream + contexts[i]]++;
  }
}

#else

// The map has bytes. So many symbols at a time are merged, and of so many streams; what is between
// two steps stays in the first-level cache.
constexpr size_t kBlock = ClassBlocks::kMost * ClassBlocks::kUnits;
constexpr size_t kMostAtOnce = 8;

// Takes the next symbols of a stream: in each lane that is `own` (of those that there are) the one
// whose place is `before`.
HWY_INLINE VWide take(VWide own, VWide before, uint32_t valid, const uint8_t*& from) {
  const uint32_t bits = bits_of_wide(hn::MaskFromVec(own)) & valid;
  const VWide next = load_blocks(from, ones_of(bits << 16));
  from += ones_of(bits);
  return hn::TableLookupBytes(next, before);
}

// Streams from 0 on are those of contexts from `first` on, the last one of all others; there are
// 2 * kPairs or one less. Two streams share the running sums: one counts in the lower halves of the
// lanes, the other in the upper ones.
template <size_t kPairs>
void merge_pairs(const uint8_t* contexts, size_t count, size_t first, size_t streams,
                 const uint8_t** next, uint8_t* symbols) {
  const DWide d;
  const VWide lower = hn::Set(d, 1);
  const VWide upper = hn::Set(d, 16);
  const VWide ones = hidden_ones();
  const VWide least = hn::Set(d, static_cast<uint8_t>(first));
  const VWide last = hn::Set(d, static_cast<uint8_t>(streams - 1));
  // The table of a pair, where it begins, has 1 and 16 at the places of its streams.
  constexpr uint8_t kTables[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16};
  VWide tables[kPairs];
  const uint8_t* from[2 * kPairs];
  for (size_t p = 0; p < kPairs; ++p) {
    tables[p] = hn::LoadDup128(d, kTables + 16 - 2 * p);
    from[2 * p] = next[2 * p];
    from[2 * p + 1] = next[std::min(2 * p + 1, streams - 1)];
  }
  const auto merge_wide = [&](size_t i, uint32_t valid) HWY_ATTR {
    const VWide context = hn::Min(hn::Sub(hn::LoadU(d, contexts + i), least), last);
    VWide merged = hn::Zero(d);
    HWY_UNROLL(4) for (size_t p = 0; p < kPairs; ++p) {
      const VWide units = hn::TableLookupBytes(tables[p], context);
      const VWide sums = hn::Sub(running_sums(units, ones), units);
      const VWide mask = hn::Set(d, 15);
      const hn::Repartition<uint16_t, DWide> d16;
      const VWide high = hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(d16, sums)));
      const VWide is_lower = hn::VecFromMask(d, hn::Eq(units, lower));
      const VWide is_upper = hn::VecFromMask(d, hn::Eq(units, upper));
      const VWide of_lower = take(is_lower, hn::And(sums, mask), valid, from[2 * p]);
      const VWide of_upper = take(is_upper, hn::And(high, mask), valid, from[2 * p + 1]);
      merged = hn::IfThenElse(hn::MaskFromVec(is_lower), of_lower, merged);
      merged = hn::IfThenElse(hn::MaskFromVec(is_upper), of_upper, merged);
    }
    hn::StoreU(merged, d, symbols + i);
  };
  size_t i = 0;
  for (; i + kWide <= count; i += kWide) merge_wide(i, ~uint32_t{0});
  if (i < count) merge_wide(i, (1u << (count - i)) - 1);
  std::copy_n(from, streams, next);
}

template <size_t kPairs = kMostAtOnce / 2>
void merge_streams(const uint8_t* contexts, size_t count, size_t first, size_t streams,
                   const uint8_t** next, uint8_t* symbols) {
  if (streams > 2 * kPairs - 2) {
    return merge_pairs<kPairs>(contexts, count, first, streams, next, symbols);
  }
  if constexpr (kPairs > 1) {
    merge_streams<kPairs - 1>(contexts, count, first, streams, next, symbols);
  }
}

// Contexts from `first` to `group` - 1, of at most kBlock symbols; next[0] is the stream of the
// first one. Where there are many, the later ones are taken to be rare: they are merged apart, and
// then are one stream.
void merge_block(const uint8_t* contexts, size_t count, size_t first, size_t group,
                 const uint8_t** next, uint8_t* symbols) {
  if (group - first <= kMostAtOnce) {
    return merge_streams(contexts, count, first, group - first, next, symbols);
  }
  constexpr size_t kAlone = kMostAtOnce - 1;
  uint8_t rare_contexts[kBlock + kSymbolSlack];
  uint8_t rare[kBlock + kSymbolSlack];
  const size_t many =
      select_symbols(contexts, count, static_cast<uint8_t>(first + kAlone), rare_contexts);
  merge_block(rare_contexts, many, first + kAlone, group, next + kAlone, rare);
  const uint8_t* from[kMostAtOnce];
  std::copy_n(next, kAlone, from);
  from[kAlone] = rare;
  merge_streams(contexts, count, first, kMostAtOnce, from, symbols);
  std::copy_n(from, kAlone, next);
}

// At most kBlock symbols.
void merge_classes(const uint8_t* contexts, const uint8_t* classes, size_t count, size_t group,
                   const uint8_t** next, uint8_t* symbols) {
  uint8_t own[kBlock + kSymbolSlack];
  uint8_t merged[kBlock + kSymbolSlack];
  const ClassBlocks blocks(classes, count);
  for (size_t k = 0; k < ClassBlocks::kClasses; ++k) {
    if (blocks.units(k) == 0) continue;
    blocks.gather(k, contexts, own);
    merge_block(own, blocks.units(k), 0, group, next + k * group, merged);
    blocks.scatter(k, merged, symbols);
  }
}

void merge(const uint64_t* map, const uint8_t* classes, size_t first, size_t count, size_t group,
           const uint8_t** next, uint8_t* symbols) {
  const auto* const contexts = reinterpret_cast<const uint8_t*>(map) + first;
  for (size_t i = 0; i < count; i += kBlock) {
    const size_t size = std::min(kBlock, count - i);
    if (classes == nullptr) {
      merge_block(contexts + i, size, 0, group, next, symbols + i);
    } else {
      merge_classes(contexts + i, classes + i / 64, size, group, next, symbols + i);
    }
  }
}

#endif

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(merge);

void merge_contexts(const uint64_t* map, const uint8_t* classes, size_t first, size_t count,
                    size_t group, const uint8_t** next, uint8_t* symbols) {
  if (classes != nullptr) classes += first / 64;
  HWY_DYNAMIC_DISPATCH(merge)(map, classes, first, count, group, next, symbols);
}

}  // namespace finedelta
#endif  // HWY_ONCE
