#include "kernels/trailing_bits.h"

#include <algorithm>

#include "kernels/trailing_bits_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trailing_bits.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"
#include "kernels/with_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <typename T>
size_t put_vectors(const std::byte*, size_t, unsigned, BitSink&) {
  return 0;
}

template <typename T>
size_t make_vectors(const uint8_t*, size_t, uint32_t, const std::byte*, const std::byte*, size_t,
                    unsigned, std::byte*) {
  return 0;
}

#else

// The bits of all units in 8 bytes are one number: pairs are put together, or taken apart, until
// they fill such a word.

using D16 = hn::ScalableTag<uint16_t>;
using D32 = hn::ScalableTag<uint32_t>;
using D64 = hn::ScalableTag<uint64_t>;

constexpr size_t kWords = 64;  // at a time

// In each lane of twice kHalf bits, the `bits` lowest of its upper half behind those of its lower.
template <int kHalf, class D>
HWY_INLINE hn::Vec<D> pair(D d, hn::Vec<D> v, int bits) {
  const auto low = hn::Set(d, (hn::TFromD<D>{1} << kHalf) - 1);
  return hn::Or(hn::And(v, low), hn::ShiftLeftSame(hn::ShiftRight<kHalf>(v), bits));
}

// The inverse; all other bits are 0.
template <int kHalf, class D>
HWY_INLINE hn::Vec<D> unpair(D d, hn::Vec<D> v, int bits) {
  const auto low = hn::Set(d, static_cast<hn::TFromD<D>>((hn::TFromD<D>{1} << bits) - 1));
  return hn::Or(hn::And(v, low), hn::ShiftLeft<kHalf>(hn::ShiftRightSame(v, bits)));
}

// Each returns how many units it did, whole words of 8 bytes.

template <typename T>
size_t put_vectors(const std::byte* value, size_t count, unsigned width, BitSink& bits) {
  const hn::ScalableTag<T> d;
  const size_t step = hn::Lanes(d);
  const auto kept = hn::Set(d, static_cast<T>((T{1} << width) - 1));
  const int w = static_cast<int>(width);
  BitSink sink = bits;
  size_t i = 0;
  while (i + step <= count) {
    alignas(64) uint64_t words[kWords];
    size_t filled = 0;
    for (; i + step <= count && filled < kWords; i += step, filled += hn::Lanes(D64())) {
      const auto low = hn::And(load_vector(d, value + i * sizeof(T)), kept);
      auto paired = hn::BitCast(D32(), low);
      if constexpr (sizeof(T) == 2) paired = pair<16>(D32(), paired, w);
      constexpr int kIn32 = 4 / sizeof(T);
      hn::Store(pair<32>(D64(), hn::BitCast(D64(), paired), kIn32 * w), D64(), words + filled);
    }
    for (size_t k = 0; k < filled; ++k) sink.put(words[k], 8 / sizeof(T) * width);
  }
  bits = sink;
  return i;
}

template <typename T>
HWY_INLINE hn::Vec<hn::ScalableTag<T>> load_promoted(const uint8_t* symbols) {
  const hn::ScalableTag<T> d;
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, decltype(d)>(), symbols));
}

template <typename T>
size_t make_vectors(const uint8_t* symbols, size_t count, uint32_t top, const std::byte* prediction,
                    const std::byte* bits, size_t at, unsigned width, std::byte* value) {
  const hn::ScalableTag<T> d;
  constexpr size_t kInWord = 8 / sizeof(T);
  const size_t step = hn::Lanes(d);
  const int w = static_cast<int>(width);
  const auto tops = hn::Set(d, static_cast<T>(top));
  const auto sign = hn::Set(d, static_cast<T>(T{1} << (8 * sizeof(T) - 1)));
  const uint64_t mask = (uint64_t{1} << kInWord * width) - 1;
  size_t i = 0;
  while (i + step <= count) {
    alignas(64) uint64_t words[kWords];
    const size_t end = std::min(i + kWords * kInWord, i + (count - i) / step * step);
    for (size_t k = 0; k < (end - i) / kInWord; ++k, at += kInWord * width) {
      words[k] = load<uint64_t>(bits + at / 8) >> at % 8 & mask;
    }
    for (const uint64_t* word = words; i < end; i += step, word += hn::Lanes(D64())) {
      constexpr int kIn32 = 4 / sizeof(T);
      auto low32 = hn::BitCast(D32(), unpair<32>(D64(), hn::Load(D64(), word), kIn32 * w));
      if constexpr (sizeof(T) == 2) low32 = unpair<16>(D32(), low32, w);
      const auto symbol = load_promoted<T>(symbols + i);
      const auto leading = hn::Sub(tops, hn::ShiftRight<1>(symbol));
      auto signs = hn::ShiftLeft<8 * sizeof(T) - 1>(symbol);
      if (prediction != nullptr) {
        signs = hn::Xor(signs, hn::And(load_vector(d, prediction + i * sizeof(T)), sign));
      }
      const auto magnitude = hn::Or(hn::ShiftLeftSame(leading, w), hn::BitCast(d, low32));
      store_vector(hn::Or(magnitude, signs), d, value + i * sizeof(T));
    }
  }
  return i;
}

// Highway can't shift bytes on all targets.
template <>
size_t put_vectors<uint8_t>(const std::byte*, size_t, unsigned, BitSink&) {
  return 0;
}

template <>
size_t make_vectors<uint8_t>(const uint8_t*, size_t, uint32_t, const std::byte*, const std::byte*,
                             size_t, unsigned, std::byte*) {
  return 0;
}

#endif

void put(unsigned unit, const std::byte* value, size_t count, unsigned width, BitSink& bits) {
  with_unit(unit, [&](auto type) {
    using T = decltype(type);
    const size_t done = put_vectors<T>(value, count, width, bits);
    scalar::put_trailing_bits<T>(value, done, count, width, bits);
  });
}

void make(unsigned unit, const uint8_t* symbols, size_t count, uint32_t top,
          const std::byte* prediction, const std::byte* bits, size_t at, unsigned width,
          std::byte* value) {
  with_unit(unit, [&](auto type) {
    using T = decltype(type);
    const size_t done = make_vectors<T>(symbols, count, top, prediction, bits, at, width, value);
    scalar::values_of_leading<T>(symbols, done, count, top, prediction, bits, at, width, value);
  });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(put);
HWY_EXPORT(make);

void put_trailing_bits(unsigned unit, const std::byte* value, size_t count, unsigned width,
                       BitSink& bits) {
  HWY_DYNAMIC_DISPATCH(put)(unit, value, count, width, bits);
}

void values_of_leading(unsigned unit, const uint8_t* symbols, size_t count, uint32_t top,
                       const std::byte* prediction, const std::byte* bits, size_t at,
                       unsigned width, std::byte* value) {
  HWY_DYNAMIC_DISPATCH(make)
  (unit, symbols, count, top, prediction, bits, at, width, value);
}

}  // namespace finedelta
#endif  // HWY_ONCE
