#include <algorithm>
#include <array>
#include <bit>

#include "kernels/class_blocks.h"
#include "kernels/count_symbols.h"
#include "kernels/residual.h"
#include "kernels/residual_scalar.h"
#include "kernels/symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/residual_contexts.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"
#include "kernels/residual-inl.h"
#include "kernels/with_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <typename T>
struct Vectors {
  static size_t contexts_of(const std::byte*, size_t, LeadingBits, uint8_t*) { return 0; }
  static size_t leading_symbols(const std::byte*, const std::byte*, size_t, LeadingBits, uint8_t*) {
    return 0;
  }
};

#else

// Each function returns how many units the vectors held.
template <typename T>
struct Vectors : ResidualVectors<T> {
  using Shared = ResidualVectors<T>;
  using Shared::sign;
  using Shared::spread_sign;
  using Shared::store_symbols;
  using typename Shared::D;
  using typename Shared::V;

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

HWY_EXPORT(contexts);
HWY_EXPORT(map_of);
HWY_EXPORT(leading);

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
