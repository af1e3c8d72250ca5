#include <bit>

#include "kernels/residual.h"
#include "kernels/residual_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/residual_differences.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"
#include "kernels/residual-inl.h"
#include "kernels/shuffles-inl.h"
#include "kernels/with_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <typename T>
struct Vectors {
  static size_t make_differences(const std::byte*, const std::byte*, size_t, std::byte*) {
    return 0;
  }
  static size_t symbols_of_differences(const std::byte*, size_t, uint8_t*) { return 0; }
  static size_t values_of_symbols(const uint8_t*, const std::byte*&, const std::byte*, size_t,
                                  std::byte*) {
    return 0;
  }
};

#else

// Where most is unchanged, all that takes time is memory: asked for half a page ahead, it comes a
// tenth faster. Nothing behind the ends is touched: a fetch is a hint.
HWY_INLINE void fetch_ahead(const std::byte* read, std::byte* written) {
  constexpr size_t kAhead = 2048;
  __builtin_prefetch(read + kAhead);
  __builtin_prefetch(written + kAhead, 1);
}

// Each function returns how many units the vectors held.
template <typename T>
struct Vectors : ResidualVectors<T> {
  using Shared = ResidualVectors<T>;
  using Shared::sign;
  using Shared::spread_sign;
  using Shared::store_symbols;
  using typename Shared::Bytes8;
  using typename Shared::D;
  using typename Shared::V;

  static size_t make_differences(const std::byte* value, const std::byte* prediction, size_t count,
                                 std::byte* differences) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V x = load_vector(d, value + i * sizeof(T));
      const V p = load_vector(d, prediction + i * sizeof(T));
      const V folded = hn::Xor(hn::AndNot(sign(), x), spread_sign(hn::Xor(x, p)));
      store_vector(hn::Sub(folded, hn::AndNot(sign(), p)), d, differences + i * sizeof(T));
    }
    return i;
  }

  static size_t symbols_of_differences(const std::byte* differences, size_t count,
                                       uint8_t* symbols) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V difference = load_vector(d, differences + i * sizeof(T));
      const V zigzag = hn::Xor(hn::Add(difference, difference), spread_sign(difference));
      store_symbols(hn::Min(zigzag, hn::Set(d, kLargeDifference)), symbols + i);
    }
    return i;
  }

  static size_t values_of_symbols(const uint8_t* symbols, const std::byte*& large,
                                  const std::byte* prediction, size_t count, std::byte* value) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V symbol = load_symbols(symbols + i);
      const V odd = hn::Sub(hn::Zero(d), hn::And(symbol, hn::Set(d, T{1})));
      const V small = hn::Xor(half(symbol), odd);
      const V difference = take_large(symbols + i, small, large);
      const V p = load_vector(d, prediction + i * sizeof(T));
      const V folded = hn::Add(hn::AndNot(sign(), p), difference);
      const V other = spread_sign(folded);
      const V x = hn::Or(hn::And(hn::Xor(p, other), sign()), hn::Xor(folded, other));
      store_vector(x, d, value + i * sizeof(T));
      fetch_ahead(prediction + i * sizeof(T), value + i * sizeof(T));
    }
    return i;
  }

 private:
  // Puts large differences in place of the small ones where symbols are large.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  static HWY_INLINE V take_large(const uint8_t* symbols, V small, const std::byte*& large) {
    const V next = load_vector(D(), large);
    V taken = small;
    uint64_t mask = 0;
    if constexpr (sizeof(T) == 1) {
      mask =
          _mm512_cmpge_epu8_mask(_mm512_loadu_si512(symbols), _mm512_set1_epi8(kLargeDifference));
      taken.raw = _mm512_mask_expand_epi8(small.raw, mask, next.raw);
    } else if constexpr (sizeof(T) == 2) {
      mask = _mm256_cmpge_epu8_mask(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols)),
                                    _mm256_set1_epi8(kLargeDifference));
      taken.raw = _mm512_mask_expand_epi16(small.raw, static_cast<__mmask32>(mask), next.raw);
    } else {
      mask = _mm_cmpge_epu8_mask(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols)),
                                 _mm_set1_epi8(kLargeDifference));
      taken.raw = _mm512_mask_expand_epi32(small.raw, static_cast<__mmask16>(mask), next.raw);
    }
    large += sizeof(T) * static_cast<size_t>(std::popcount(mask));
    return taken;
  }
#else
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  // Without a branch, which could not be foreseen: the next differences are shuffled to their
  // places. Of units of two bytes a running sum tells these, in each half of the vector.
  static HWY_INLINE V take_large_shuffled(const uint8_t* symbols, V small,
                                          const std::byte*& large) {
    const auto load_16 = [&](size_t skipped) HWY_ATTR {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(large + skipped));
    };
    if constexpr (sizeof(T) == 2) {
      const __m256i is_large =
          _mm256_cmpgt_epi16(load_symbols(symbols).raw, _mm256_set1_epi16(kLargeDifference - 1));
      // Minus their number so far, in both bytes; the last one of k is bytes 2k - 2 and 2k - 1.
      __m256i sum = _mm256_add_epi8(is_large, _mm256_slli_si256(is_large, 2));
      sum = _mm256_add_epi8(sum, _mm256_slli_si256(sum, 4));
      sum = _mm256_add_epi8(sum, _mm256_slli_si256(sum, 8));
      const __m256i places = _mm256_sub_epi8(_mm256_set1_epi16(static_cast<int16_t>(0xFFFE)),
                                             _mm256_add_epi8(sum, sum));
      const auto bytes = static_cast<unsigned>(_mm256_movemask_epi8(is_large));
      const auto skipped = static_cast<size_t>(std::popcount(bytes << 16));
      const __m256i next = _mm256_set_m128i(load_16(skipped), load_16(0));
      large += std::popcount(bytes);
      return V{_mm256_blendv_epi8(small.raw, _mm256_shuffle_epi8(next, places), is_large)};
    } else {
      const __m128i loaded = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(symbols));
      const __m128i is_large =
          _mm_cmpeq_epi8(_mm_max_epu8(loaded, _mm_set1_epi8(kLargeDifference)), loaded);
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(is_large)) & 255;
      if (mask == 0) return small;
      const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(large));
      large += sizeof(T) * static_cast<size_t>(std::popcount(mask));
      const __m128i places = _mm_cvtsi64_si128(static_cast<int64_t>(kShuffles.expand[mask]));
      const __m256i taken = _mm256_permutevar8x32_epi32(next, _mm256_cvtepu8_epi32(places));
      return V{_mm256_blendv_epi8(small.raw, taken, _mm256_cvtepi8_epi32(is_large))};
    }
  }
#endif

  static HWY_INLINE V take_large(const uint8_t* symbols, V small, const std::byte*& large) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    const auto is_large = [&](size_t i) { return symbols[i] >= kLargeDifference; };
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
    if constexpr (sizeof(T) > 1) return take_large_shuffled(symbols, small, large);
#endif
    if (!any_large(symbols)) return small;
    T differences[HWY_MAX_BYTES / sizeof(T)];
    hn::StoreU(small, d, differences);
    for (size_t i = 0; i < lanes; ++i) {
      if (!is_large(i)) continue;
      differences[i] = load<T>(large);
      large += sizeof(T);
    }
    return hn::LoadU(d, differences);
  }

  static HWY_INLINE bool any_large(const uint8_t* symbols) {
    const Bytes8 d8;
    const auto loaded = hn::LoadU(d8, symbols);
    return !hn::AllFalse(d8, hn::Eq(hn::Max(loaded, hn::Set(d8, kLargeDifference)), loaded));
  }
#endif

  static HWY_INLINE V load_symbols(const uint8_t* from) {
    if constexpr (sizeof(T) == 1) {
      return hn::LoadU(Bytes8(), from);
    } else {
      return hn::PromoteTo(D(), hn::LoadU(Bytes8(), from));
    }
  }

  // Highway has no shift of bytes on all targets; symbols are under 32, so 16-bit ones do.
  static HWY_INLINE V half(V symbol) {
    if constexpr (sizeof(T) == 1) {
      const hn::Repartition<uint16_t, D> d16;
      const auto even = hn::AndNot(hn::Set(D(), T{1}), symbol);
      return hn::BitCast(D(), hn::ShiftRight<1>(hn::BitCast(d16, even)));
    } else {
      return hn::ShiftRight<1>(symbol);
    }
  }
};

#endif

template <typename T>
void make_differences_of(const std::byte* value, const std::byte* prediction, size_t count,
                         std::byte* differences) {
  const size_t done = Vectors<T>::make_differences(value, prediction, count, differences);
  scalar::make_differences<T>(value, prediction, done, count, differences);
}

template <typename T>
void symbols_of(const std::byte* differences, size_t count, uint8_t* symbols) {
  const size_t done = Vectors<T>::symbols_of_differences(differences, count, symbols);
  scalar::symbols_of_differences<T>(differences, done, count, symbols);
}

template <typename T>
size_t values_of(const uint8_t* symbols, const std::byte* large, const std::byte* prediction,
                 size_t count, std::byte* value) {
  const std::byte* next = large;
  const size_t done = Vectors<T>::values_of_symbols(symbols, next, prediction, count, value);
  next = scalar::values_of_symbols<T>(symbols, next, prediction, done, count, value);
  return static_cast<size_t>(next - large) / sizeof(T);
}

void make(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
          std::byte* differences) {
  with_unit(unit, [&](auto type) {
    make_differences_of<decltype(type)>(value, prediction, count, differences);
  });
}

void to_symbols(unsigned unit, const std::byte* differences, size_t count, uint8_t* symbols) {
  with_unit(unit, [&](auto type) { symbols_of<decltype(type)>(differences, count, symbols); });
}

size_t values(unsigned unit, const uint8_t* symbols, const std::byte* large,
              const std::byte* prediction, size_t count, std::byte* value) {
  return with_unit(unit, [&](auto type) {
    return values_of<decltype(type)>(symbols, large, prediction, count, value);
  });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(make);
HWY_EXPORT(to_symbols);
HWY_EXPORT(values);

void make_differences(unsigned unit, const std::byte* value, const std::byte* prediction,
                      size_t count, std::byte* differences) {
  HWY_DYNAMIC_DISPATCH(make)(unit, value, prediction, count, differences);
}

void symbols_of_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols) {
  HWY_DYNAMIC_DISPATCH(to_symbols)(unit, differences, count, symbols);
}

size_t values_of_symbols(unsigned unit, const uint8_t* symbols, const std::byte* large,
                         const std::byte* prediction, size_t count, std::byte* value) {
  return HWY_DYNAMIC_DISPATCH(values)(unit, symbols, large, prediction, count, value);
}

}  // namespace finedelta
#endif  // HWY_ONCE
