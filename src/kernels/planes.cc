#include "kernels/planes.h"

#include <cstdint>

#include "kernels/planes_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/planes.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

void split(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
           std::byte* planes) {
  scalar::xor_split(unit, value, prediction, 0, count, planes);
}

void join(unsigned unit, const std::byte* planes, const std::byte* prediction, size_t count,
          std::byte* value) {
  scalar::xor_join(unit, planes, prediction, 0, count, value);
}

#else

template <class D>
HWY_INLINE hn::Vec<D> load_xor(D d, const std::byte* value, const std::byte* prediction,
                               size_t offset) {
  const auto loaded = load_vector(d, value + offset);
  if (prediction == nullptr) return loaded;
  return hn::Xor(loaded, load_vector(d, prediction + offset));
}

// Each of the split_ functions takes whole vectors only and returns how many elements they held.
// The planes lie `stride` bytes apart.

size_t split_1(const std::byte* value, const std::byte* prediction, size_t count,
               std::byte* planes) {
  const hn::ScalableTag<uint8_t> d8;
  const size_t lanes = hn::Lanes(d8);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    store_vector(load_xor(d8, value, prediction, i), d8, planes + i);
  }
  return i;
}

size_t split_2(const std::byte* value, const std::byte* prediction, size_t count, std::byte* planes,
               size_t stride) {
  const hn::ScalableTag<uint8_t> d8;
  const size_t lanes = hn::Lanes(d8);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto a = load_xor(d8, value, prediction, 2 * i);
    const auto b = load_xor(d8, value, prediction, 2 * i + lanes);
    store_vector(hn::ConcatEven(d8, b, a), d8, planes + i);
    store_vector(hn::ConcatOdd(d8, b, a), d8, planes + stride + i);
  }
  return i;
}

size_t split_4(const std::byte* value, const std::byte* prediction, size_t count, std::byte* planes,
               size_t stride) {
  const hn::ScalableTag<uint8_t> d8;
  const size_t lanes = hn::Lanes(d8);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto a = load_xor(d8, value, prediction, 4 * i);
    const auto b = load_xor(d8, value, prediction, 4 * i + lanes);
    const auto c = load_xor(d8, value, prediction, 4 * i + 2 * lanes);
    const auto d = load_xor(d8, value, prediction, 4 * i + 3 * lanes);
    const auto even_ab = hn::ConcatEven(d8, b, a);  // bytes 0 and 2 of each element in turn
    const auto even_cd = hn::ConcatEven(d8, d, c);
    const auto odd_ab = hn::ConcatOdd(d8, b, a);  // bytes 1 and 3
    const auto odd_cd = hn::ConcatOdd(d8, d, c);
    store_vector(hn::ConcatEven(d8, even_cd, even_ab), d8, planes + i);
    store_vector(hn::ConcatEven(d8, odd_cd, odd_ab), d8, planes + stride + i);
    store_vector(hn::ConcatOdd(d8, even_cd, even_ab), d8, planes + 2 * stride + i);
    store_vector(hn::ConcatOdd(d8, odd_cd, odd_ab), d8, planes + 3 * stride + i);
  }
  return i;
}

// Halves the elements into a buffer that stays in L1 and splits those.
size_t split_8(const std::byte* value, const std::byte* prediction, size_t count,
               std::byte* planes) {
  constexpr size_t kBlock = 512;  // elements: a multiple of the lanes of vectors of up to 512 bytes
  std::byte low[4 * kBlock];
  std::byte high[4 * kBlock];
  const hn::ScalableTag<uint32_t> d32;
  const size_t bytes = 4 * hn::Lanes(d32);
  size_t begin = 0;
  for (; begin + kBlock <= count; begin += kBlock) {
    for (size_t i = 0; i < 4 * kBlock; i += bytes) {
      const auto a = load_xor(d32, value, prediction, 8 * begin + 2 * i);
      const auto b = load_xor(d32, value, prediction, 8 * begin + 2 * i + bytes);
      store_vector(hn::ConcatEven(d32, b, a), d32, low + i);
      store_vector(hn::ConcatOdd(d32, b, a), d32, high + i);
    }
    split_4(low, nullptr, kBlock, planes + begin, count);
    split_4(high, nullptr, kBlock, planes + 4 * count + begin, count);
  }
  return begin;
}

void split(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
           std::byte* planes) {
  size_t done = 0;
  if (unit == 1) done = split_1(value, prediction, count, planes);
  if (unit == 2) done = split_2(value, prediction, count, planes, count);
  if (unit == 4) done = split_4(value, prediction, count, planes, count);
  if (unit == 8) done = split_8(value, prediction, count, planes);
  scalar::xor_split(unit, value, prediction, done, count, planes);
}

// One byte for each lane of D, widened to its type.
template <class D>
HWY_INLINE hn::Vec<D> load_widened(D d, const std::byte* from) {
  using T = hn::TFromD<D>;
  if constexpr (sizeof(T) == 1) {
    return load_vector(d, from);
  } else if constexpr (sizeof(T) == 8) {
    return hn::PromoteTo(d, load_widened(hn::Rebind<uint32_t, D>(), from));
  } else {
    return hn::PromoteTo(d, load_vector(hn::Rebind<uint8_t, D>(), from));
  }
}

template <typename T>
size_t join_vectors(const std::byte* planes, const std::byte* prediction, size_t count,
                    std::byte* value) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto element = load_widened(d, planes + (sizeof(T) - 1) * count + i);
    if constexpr (sizeof(T) > 1) {
      for (size_t k = sizeof(T) - 1; k-- > 0;) {
        element = hn::Or(hn::ShiftLeft<8>(element), load_widened(d, planes + k * count + i));
      }
    }
    if (prediction != nullptr) {
      element = hn::Xor(element, load_vector(d, prediction + i * sizeof(T)));
    }
    store_vector(element, d, value + i * sizeof(T));
  }
  return i;
}

void join(unsigned unit, const std::byte* planes, const std::byte* prediction, size_t count,
          std::byte* value) {
  size_t done = 0;
  if (unit == 1) done = join_vectors<uint8_t>(planes, prediction, count, value);
  if (unit == 2) done = join_vectors<uint16_t>(planes, prediction, count, value);
  if (unit == 4) done = join_vectors<uint32_t>(planes, prediction, count, value);
  if (unit == 8) done = join_vectors<uint64_t>(planes, prediction, count, value);
  scalar::xor_join(unit, planes, prediction, done, count, value);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(split);
HWY_EXPORT(join);

void xor_split(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
               std::byte* planes) {
  HWY_DYNAMIC_DISPATCH(split)(unit, value, prediction, count, planes);
}

void xor_join(unsigned unit, const std::byte* planes, const std::byte* prediction, size_t count,
              std::byte* value) {
  HWY_DYNAMIC_DISPATCH(join)(unit, planes, prediction, count, value);
}

}  // namespace finedelta
#endif  // HWY_ONCE
