#include "kernels/residual.h"

#include <array>
#include <bit>

#include "kernels/class_blocks.h"
#include "kernels/count_symbols.h"
#include "kernels/residual_scalar.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/residual.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"
#include "kernels/shuffles-inl.h"

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
  static size_t contexts_of(const std::byte*, size_t, LeadingBits, uint8_t*) { return 0; }
  static size_t leading_symbols(const std::byte*, const std::byte*, size_t, LeadingBits, uint8_t*) {
    return 0;
  }
};

#else

// Where most is unchanged, all that takes time is memory: asked for half a page ahead, it comes a
// tenth faster. Nothing behind the ends is touched: a fetch is a hint.
HWY_INLINE void fetch_ahead(const std::byte* read, std::byte* written) {
  constexpr uintptr_t kAhead = 2048;
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(read) + kAhead));
  __builtin_prefetch(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(written) + kAhead), 1);
}

// Whole vectors of units of type T. Each function returns how many units they held.
template <typename T>
struct Vectors {
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3_DL
  // Units of two bytes can't be moved across a vector of 64.
  using D = hn::CappedTag<T, 32 / sizeof(T)>;
#else
  using D = hn::ScalableTag<T>;
#endif
  using V = hn::Vec<D>;
  using Bytes8 = hn::Rebind<uint8_t, D>;

  // All bits set where the sign bit is.
  static HWY_INLINE V spread_sign(V value) {
    const hn::RebindToSigned<D> signed_d;
    return hn::BitCast(D(), hn::BroadcastSignBit(hn::BitCast(signed_d, value)));
  }

  static HWY_INLINE V sign() { return hn::Set(D(), scalar::kSign<T>); }

  // TruncateTo of 32-bit lanes is wrong for AVX3_DL in Highway 1.0.3; symbols are no negative
  // numbers.
  static HWY_INLINE void store_symbols(V symbols, uint8_t* to) {
    if constexpr (sizeof(T) == 1) {
      hn::StoreU(symbols, Bytes8(), to);
    } else {
      const hn::RebindToSigned<D> signed_d;
      hn::StoreU(hn::DemoteTo(Bytes8(), hn::BitCast(signed_d, symbols)), Bytes8(), to);
    }
  }

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

  static size_t contexts_of(const std::byte* value, size_t count, LeadingBits bits,
                            uint8_t* contexts) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    if constexpr (sizeof(T) == 2) {
      // Two vectors make one of bytes.
      const hn::Repartition<uint8_t, D> d8;
      for (; i + 2 * lanes <= count; i += 2 * lanes) {
        const V low = below_top(load_vector(d, value + i * sizeof(T)), bits);
        const V high = below_top(load_vector(d, value + (i + lanes) * sizeof(T)), bits);
        hn::StoreU(hn::ConcatEven(d8, hn::BitCast(d8, high), hn::BitCast(d8, low)), d8,
                   contexts + i);
      }
    }
    for (; i + lanes <= count; i += lanes) {
      store_symbols(below_top(load_vector(d, value + i * sizeof(T)), bits), contexts + i);
    }
    return i;
  }

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  // Masks, whole blocks only.
  static size_t context_map_of(const std::byte* value, size_t count, LeadingBits bits,
                               const uint8_t* classes, uint64_t* masks, uint32_t* counts) {
    const size_t group = bits.most + size_t{1};
    size_t i = 0;
    for (; i + 64 <= count; i += 64, masks += context_map_words(group)) {
      uint32_t* const of_class = counts + (classes != nullptr ? classes[i / 64] * group : 0);
      Block block;
      block.load(value + i * sizeof(T), bits);
      for (size_t k = 0; k < group; ++k) {
        masks[k] = block.equal(static_cast<uint8_t>(k));
        of_class[k] += static_cast<uint32_t>(std::popcount(masks[k]));
      }
    }
    return i;
  }
#endif

  static size_t leading_symbols(const std::byte* value, const std::byte* prediction, size_t count,
                                LeadingBits bits, uint8_t* symbols) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V x = load_vector(d, value + i * sizeof(T));
      V signs = x;
      if (prediction != nullptr) signs = hn::Xor(x, load_vector(d, prediction + i * sizeof(T)));
      const V below = below_top(x, bits);
      const V other = hn::And(spread_sign(signs), hn::Set(d, T{1}));
      store_symbols(hn::Or(hn::Add(below, below), other), symbols + i);
    }
    return i;
  }

 private:
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  // The contexts of 64 units in one register.
  struct Block {
    __m512i contexts;

    HWY_INLINE void load(const std::byte* value, LeadingBits bits) {
      const auto part = [&](size_t i) {
        return below_top(load_vector(D(), value + 64 * i), bits).raw;
      };
      if constexpr (sizeof(T) == 1) {
        contexts = part(0);
      } else if constexpr (sizeof(T) == 2) {
        contexts = even_bytes(part(0), part(1));
      } else {
        contexts = even_bytes(even_halves(part(0), part(1)), even_halves(part(2), part(3)));
      }
    }

    HWY_INLINE uint64_t equal(uint8_t context) const {
      return _mm512_cmpeq_epu8_mask(contexts, _mm512_set1_epi8(static_cast<char>(context)));
    }

   private:
    static HWY_INLINE __m512i even_halves(__m512i low, __m512i high) {
      return hn::ConcatEven(hn::FixedTag<uint16_t, 32>(), hn::Vec512<uint16_t>{high},
                            hn::Vec512<uint16_t>{low})
          .raw;
    }
    static HWY_INLINE __m512i even_bytes(__m512i low, __m512i high) {
      return hn::ConcatEven(hn::FixedTag<uint8_t, 64>(), hn::Vec512<uint8_t>{high},
                            hn::Vec512<uint8_t>{low})
          .raw;
    }
  };
#endif

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

  static HWY_INLINE V below_top(V value, LeadingBits bits) {
    const D d;
    V leading = hn::AndNot(sign(), value);
    if constexpr (sizeof(T) == 1) {
      const hn::Repartition<uint16_t, D> d16;
      const auto kept = static_cast<uint8_t>(0xFF << bits.shift & 0xFF);
      const auto high = hn::BitCast(d16, hn::And(leading, hn::Set(d, kept)));
      leading = hn::BitCast(d, hn::ShiftRightSame(high, static_cast<int>(bits.shift)));
    } else {
      leading = hn::ShiftRightSame(leading, static_cast<int>(bits.shift));
    }
    const V top = hn::Set(d, static_cast<T>(bits.top));
    return hn::Min(hn::Sub(top, hn::Min(leading, top)), hn::Set(d, static_cast<T>(bits.most)));
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

template <typename T>
void contexts_of_units(const std::byte* value, size_t count, LeadingBits bits, uint8_t* contexts) {
  const size_t done = Vectors<T>::contexts_of(value, count, bits, contexts);
  scalar::contexts_of<T>(value, done, count, bits, contexts);
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

// Bit i of map[block * words + k] tells whether the context of unit i of a block is k.
template <typename T>
void context_map(const std::byte* value, size_t count, LeadingBits bits, const uint8_t* classes,
                 uint64_t* map, uint32_t* counts) {
  const size_t group = bits.most + size_t{1};
  const size_t whole = Vectors<T>::context_map_of(value, count, bits, classes, map, counts);
  if (whole == count) return;
  uint64_t* const last = map + whole / 64 * context_map_words(group);
  std::fill_n(last, group, 0);
  for (size_t i = whole; i < count; ++i) {
    const uint32_t context = scalar::below_top(scalar::load_unit<T>(value, i), bits);
    last[context] |= uint64_t{1} << (i - whole);
    ++counts[(classes != nullptr ? classes[whole / 64] * group : 0) + context];
  }
}

#else

constexpr size_t kMapBlock = ClassBlocks::kMost * ClassBlocks::kUnits;

// Adds to counts[k] how many of at most kMapBlock units have context k.
void count_contexts(const uint8_t* contexts, size_t count, size_t group, uint32_t* counts) {
  std::array<uint32_t, 256> own{};
  count_symbols(contexts, count, own.data());
  for (size_t k = 0; k < group; ++k) counts[k] += own[k];
}

// The context of each unit is a byte.
template <typename T>
void context_map(const std::byte* value, size_t count, LeadingBits bits, const uint8_t* classes,
                 uint64_t* map, uint32_t* counts) {
  const size_t group = bits.most + size_t{1};
  for (size_t begin = 0; begin < count; begin += kMapBlock) {
    auto* const contexts = reinterpret_cast<uint8_t*>(map) + begin;
    const size_t size = std::min(kMapBlock, count - begin);
    contexts_of_units<T>(value + begin * sizeof(T), size, bits, contexts);
    if (classes == nullptr) {
      count_contexts(contexts, size, group, counts);
      continue;
    }
    uint8_t own[kMapBlock + kSymbolSlack];
    const ClassBlocks blocks(classes + begin / 64, size);
    for (size_t k = 0; k < ClassBlocks::kClasses; ++k) {
      if (blocks.units(k) == 0) continue;
      blocks.gather(k, contexts, own);
      count_contexts(own, blocks.units(k), group, counts + k * group);
    }
  }
}

#endif

template <typename T>
void leading_symbols_of(const std::byte* value, const std::byte* prediction, size_t count,
                        LeadingBits bits, uint8_t* symbols) {
  const size_t done = Vectors<T>::leading_symbols(value, prediction, count, bits, symbols);
  scalar::leading_symbols<T>(value, prediction, done, count, bits, symbols);
}

// Calls `call` with a value of the unit's type.
template <class Call>
void with_unit(unsigned unit, Call call) {
  if (unit == 1) call(uint8_t{});
  if (unit == 2) call(uint16_t{});
  if (unit == 4) call(uint32_t{});
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
  size_t taken = 0;
  with_unit(unit, [&](auto type) {
    taken = values_of<decltype(type)>(symbols, large, prediction, count, value);
  });
  return taken;
}

void contexts(unsigned unit, const std::byte* value, size_t count, LeadingBits bits, uint8_t* out) {
  with_unit(unit, [&](auto type) { contexts_of_units<decltype(type)>(value, count, bits, out); });
}

void map_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
            const uint8_t* classes, uint64_t* map, uint32_t* counts) {
  with_unit(unit, [&](auto type) {
    context_map<decltype(type)>(value, count, bits, classes, map, counts);
  });
}

void leading(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
             LeadingBits bits, uint8_t* symbols) {
  with_unit(unit, [&](auto type) {
    leading_symbols_of<decltype(type)>(value, prediction, count, bits, symbols);
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
HWY_EXPORT(contexts);
HWY_EXPORT(map_of);
HWY_EXPORT(leading);

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

void contexts_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                 uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(contexts)(unit, value, count, bits, out);
}

void context_map_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                    const uint8_t* classes, uint64_t* map, uint32_t* counts) {
  HWY_DYNAMIC_DISPATCH(map_of)(unit, value, count, bits, classes, map, counts);
}

void leading_symbols(unsigned unit, const std::byte* value, const std::byte* prediction,
                     size_t count, LeadingBits bits, uint8_t* symbols) {
  HWY_DYNAMIC_DISPATCH(leading)(unit, value, prediction, count, bits, symbols);
}

}  // namespace finedelta
#endif  // HWY_ONCE
