#include "kernels/count_symbols.h"

#include <algorithm>

#include "base/bytes.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/count_symbols.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

void count_one_by_one(const uint8_t* symbols, size_t count, uint32_t* counts) {
  for (size_t i = 0; i < count; ++i) ++counts[symbols[i]];
}

// Arrays of vectors need a size that is known.
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE

void count_each(const uint8_t* symbols, size_t count, uint32_t* counts) {
  count_one_by_one(symbols, count, counts);
}

#else

// Eight symbols at a time are counted by comparing with them; those above are then put together,
// and the next eight counted among these.

namespace hn = hwy::HWY_NAMESPACE;

using D8 = hn::ScalableTag<uint8_t>;
using V8 = hn::Vec<D8>;

constexpr size_t kAtOnce = 8;
constexpr size_t kFew = 64;  // are counted one by one
constexpr bool kStepsAreCheap = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;
constexpr size_t kProbed = 512;  // decide how it is done
constexpr size_t kWideBlock = size_t{1} << 14;
constexpr size_t kBlock = 2048;  // at most 255 vectors: a lane's counter is a byte

HWY_INLINE V8 add_equal(V8 counters, V8 symbols, V8 wanted) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  const auto equal = hn::Eq(symbols, wanted).raw;
  return V8{_mm512_mask_sub_epi8(counters.raw, equal, counters.raw, _mm512_set1_epi8(-1))};
#else
  return hn::Sub(counters, hn::VecFromMask(D8(), hn::Eq(symbols, wanted)));
#endif
}

// Counts the symbols from `first` to `first` + 7; returns how many there were.
size_t count_eight(const uint8_t* symbols, size_t count, unsigned first, uint32_t* counts) {
  const D8 d;
  V8 counters[kAtOnce];
  V8 wanted[kAtOnce];
  for (unsigned k = 0; k < kAtOnce; ++k) {
    counters[k] = hn::Zero(d);
    wanted[k] = hn::Set(d, static_cast<uint8_t>(first + k));
  }
  const auto add = [&](V8 loaded) HWY_ATTR {
    HWY_UNROLL(8) for (unsigned k = 0; k < kAtOnce; ++k) {
      counters[k] = add_equal(counters[k], loaded, wanted[k]);
    }
  };
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) add(hn::LoadU(d, symbols + i));
  if (i < count) {
    const auto other = hn::Set(d, static_cast<uint8_t>(first ^ 0x80));
    add(hn::IfThenElse(hn::FirstN(d, count - i), hn::LoadU(d, symbols + i), other));
  }
  size_t found = 0;
  for (unsigned k = 0; k < kAtOnce; ++k) {
    const hn::Repartition<uint64_t, D8> d64;
    const auto sum =
        static_cast<uint32_t>(hn::GetLane(hn::SumOfLanes(d64, hn::SumsOf8(counters[k]))));
    counts[first + k] += sum;
    found += sum;
  }
  return found;
}

void count_block(const uint8_t* symbols, size_t count, uint32_t* counts) {
  uint8_t rest[2][kBlock + kSymbolSlack];
  for (unsigned first = 0; count >= kFew; first += kAtOnce) {
    if (count_eight(symbols, count, first, counts) == count) return;
    uint8_t* const above = rest[first / kAtOnce % 2];
    count = select_symbols(symbols, count, static_cast<uint8_t>(first + kAtOnce), above);
    symbols = above;
  }
  count_one_by_one(symbols, count, counts);
}

// Whether fewer than half of some symbols are below 16. Then it takes many steps: where all are
// about 80, as of what training did to floats of 32 bits, three times as long as with tables.
bool are_wide(const uint8_t* symbols, size_t count) {
  if (kStepsAreCheap || count < kProbed) return false;
  uint32_t counts[2 * kAtOnce] = {};
  const size_t found = count_eight(symbols, kProbed, 0, counts);
  return found + count_eight(symbols, kProbed, kAtOnce, counts) < kProbed / 2;
}

// Symbols one by one in turn to four tables: a symbol that comes again soon need not wait for the
// count of the last one to be stored.
void count_in_tables(const uint8_t* symbols, size_t count, uint32_t* counts) {
  constexpr size_t kTables = 4;
  uint32_t tables[kTables][256] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const auto word = load<uint64_t>(reinterpret_cast<const std::byte*>(symbols + i));
    HWY_UNROLL(8) for (size_t k = 0; k < 8; ++k) { ++tables[k % kTables][word >> 8 * k & 255]; }
  }
  for (; i < count; ++i) ++tables[0][symbols[i]];
  for (size_t k = 0; k < 256; ++k) {
    counts[k] += tables[0][k] + tables[1][k] + tables[2][k] + tables[3][k];
  }
}

// At most kWideBlock symbols, of which the first ones tell how it is done.
void count_alike(const uint8_t* symbols, size_t count, uint32_t* counts) {
  if (are_wide(symbols, count)) return count_in_tables(symbols, count, counts);
  for (size_t begin = 0; begin < count; begin += kBlock) {
    count_block(symbols + begin, std::min(kBlock, count - begin), counts);
  }
}

void count_each(const uint8_t* symbols, size_t count, uint32_t* counts) {
  for (; count > kWideBlock; count -= kWideBlock, symbols += kWideBlock) {
    count_alike(symbols, kWideBlock, counts);
  }
  count_alike(symbols, count, counts);
}

#endif

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(count_each);

void count_symbols(const uint8_t* symbols, size_t count, uint32_t* counts) {
  HWY_DYNAMIC_DISPATCH(count_each)(symbols, count, counts);
}

}  // namespace finedelta
#endif  // HWY_ONCE
