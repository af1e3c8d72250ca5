#include "kernels/count_symbols.h"

#include <algorithm>

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
constexpr size_t kFew = 64;      // are counted one by one
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

void count_each(const uint8_t* symbols, size_t count, uint32_t* counts) {
  for (size_t begin = 0; begin < count; begin += kBlock) {
    count_block(symbols + begin, std::min(kBlock, count - begin), counts);
  }
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
