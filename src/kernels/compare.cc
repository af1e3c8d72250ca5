// Counts of set bits by their position in a word are taken as by M. Klarqvist, W. Muła, D. Lemire
// (Efficient computation of positional population counts using SIMD instructions, 2021): full
// adders on vectors of bits leave one vector of sixteen to be counted bit by bit. Sizes of
// differences are counted in the same way: a word in which all bits below the highest one are set
// has bit k where the difference is 2^k or more.
#include "kernels/compare.h"

#include <algorithm>
#include <cstring>

#include "kernels/cast.h"
#include "kernels/compare_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/compare.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <class Type>
void compare(const std::byte* base, const std::byte* fine, size_t count, FloatComparison& to) {
  scalar::compare<Type>(base, fine, count, to);
}

using CompareF64 = scalar::F64;

#else

struct CompareF64 {
  using Scalar = scalar::F64;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V widen(D, V value) {
    return value;
  }
};

// Elements at a time: what is made of them stays in the L1 cache, and they are whole groups of 16
// vectors on every target. The last ones are filled up with zeros, which add nothing to anything.
constexpr size_t kBlock = 1024;

template <typename T>
constexpr size_t kVectorLanes = 64 / sizeof(T);  // at most

// How often each bit is set in words of type T.
template <typename T>
class PositionCounts {
 public:
  void add(const T* words) {
    const D d;
    auto ones = hn::Load(d, partial_[0]);
    auto twos = hn::Load(d, partial_[1]);
    auto fours = hn::Load(d, partial_[2]);
    auto eights = hn::Load(d, partial_[3]);
    const size_t lanes = hn::Lanes(d);
    for (size_t i = 0; i < kBlock; i += 16 * lanes) {
      const auto a = add_eight(words + i, ones, twos, fours);
      const auto b = add_eight(words + i + 8 * lanes, ones, twos, fours);
      count(add_bits(eights, a, b));
    }
    hn::Store(ones, d, partial_[0]);
    hn::Store(twos, d, partial_[1]);
    hn::Store(fours, d, partial_[2]);
    hn::Store(eights, d, partial_[3]);
  }

  void finish(uint64_t* counts) const {
    for (size_t lane = 0; lane < kVectorLanes<T>; ++lane) {
      for (size_t b = 0; b < kBits; ++b) {
        counts[b] += uint64_t{16} * sixteens_[b][lane];
        for (size_t p = 0; p < 4; ++p) counts[b] += (partial_[p][lane] >> b & uint64_t{1}) << p;
      }
    }
  }

 private:
  using D = hn::CappedTag<T, kVectorLanes<T>>;
  using V = hn::Vec<D>;
  static constexpr size_t kBits = 8 * sizeof(T);

  // sum + a + b: the low bit stays in `sum`, the high one is returned.
  static HWY_INLINE V add_bits(V& sum, V a, V b) {
    const V either = hn::Xor(sum, a);
    const V carry = hn::Or(hn::And(sum, a), hn::And(either, b));
    sum = hn::Xor(either, b);
    return carry;
  }

  static HWY_INLINE V add_eight(const T* words, V& ones, V& twos, V& fours) {
    const size_t lanes = hn::Lanes(D());
    const V a = add_four(words, ones, twos);
    const V b = add_four(words + 4 * lanes, ones, twos);
    return add_bits(fours, a, b);
  }

  static HWY_INLINE V add_four(const T* words, V& ones, V& twos) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    const V a = add_bits(ones, hn::Load(d, words), hn::Load(d, words + lanes));
    const V b = add_bits(ones, hn::Load(d, words + 2 * lanes), hn::Load(d, words + 3 * lanes));
    return add_bits(twos, a, b);
  }

  HWY_INLINE void count(V bits) {
    const D d;
    const V one = hn::Set(d, 1);
    for (size_t b = 0; b < kBits; ++b) {
      hn::Store(hn::Add(hn::Load(d, sixteens_[b]), hn::And(bits, one)), d, sixteens_[b]);
      bits = hn::ShiftRight<1>(bits);
    }
  }

  // Bits of what is below sixteen, and a number for each lane of what is not.
  alignas(64) T partial_[4][kVectorLanes<T>] = {};
  alignas(64) T sixteens_[kBits][kVectorLanes<T>] = {};
};

// Every bit below the highest one that is set.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V filled(D, V word) {
  word = hn::Or(word, hn::ShiftRight<1>(word));
  word = hn::Or(word, hn::ShiftRight<2>(word));
  word = hn::Or(word, hn::ShiftRight<4>(word));
  word = hn::Or(word, hn::ShiftRight<8>(word));
  if constexpr (sizeof(hn::TFromD<D>) >= 4) word = hn::Or(word, hn::ShiftRight<16>(word));
  if constexpr (sizeof(hn::TFromD<D>) == 8) word = hn::Or(word, hn::ShiftRight<32>(word));
  return word;
}

// The vector form of scalar::distance.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V distance(D d, V x, V y) {
  const hn::RebindToSigned<D> signed_d;
  const V sign = hn::Set(d, scalar::kSign<hn::TFromD<D>>);
  const V a = hn::AndNot(sign, x);
  const V b = hn::AndNot(sign, y);
  const V other = hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(signed_d, hn::Xor(x, y))));
  // Of equal signs a - b, else a - (-b - 1), which is positive and may need the sign's bit.
  const V difference = hn::Sub(a, hn::Xor(b, other));
  const V size = hn::BitCast(d, hn::Abs(hn::BitCast(signed_d, difference)));
  return hn::IfThenElse(hn::MaskFromVec(other), difference, size);
}

template <typename T>
struct BlockWords {
  alignas(64) T bits[kBlock];
  alignas(64) T apart[kBlock];
};

template <typename T>
void make_words(const std::byte* base, const std::byte* fine, BlockWords<T>& words) {
  const hn::CappedTag<T, kVectorLanes<T>> d;
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    const auto x = load_vector(d, base + i * sizeof(T));
    const auto y = load_vector(d, fine + i * sizeof(T));
    hn::Store(hn::Xor(x, y), d, words.bits + i);
    hn::Store(filled(d, distance(d, x, y)), d, words.apart + i);
  }
}

// Of numbers with a magnitude from that of infinity on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void count_special(D d, V magnitude, V infinity, SpecialCounts& counts) {
  counts.infinities += hn::CountTrue(d, hn::Eq(magnitude, infinity));
  counts.nans += hn::CountTrue(d, hn::Gt(magnitude, infinity));
}

template <class Type, class D>
HWY_INLINE hn::Vec<D> load_number(D d, const std::byte* from, size_t i) {
  using Bits = typename Type::Scalar::Bits;
  const std::byte* const at = from + i * sizeof(Bits);
  if constexpr (sizeof(Bits) == 8) {
    return load_vector(d, at);
  } else {
    return Type::widen(d, load_bits<Bits>(d, at));
  }
}

template <typename Float>
struct BlockNumbers {
  alignas(64) Float base[kBlock];
  alignas(64) Float fine[kBlock];
};

// As F32 or F64; both 0 where one of them is no number.
template <class Type, typename Float>
void widen_numbers(const std::byte* base, const std::byte* fine, BlockNumbers<Float>& numbers,
                   FloatComparison& to) {
  const hn::CappedTag<Float, kVectorLanes<Float>> float_d;
  const hn::RebindToUnsigned<decltype(float_d)> d;
  const auto sign = hn::Set(d, scalar::kSign<hn::TFromD<decltype(d)>>);
  const auto infinity = hn::BitCast(d, hn::Inf(float_d));
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    auto x = load_number<Type>(d, base, i);
    auto y = load_number<Type>(d, fine, i);
    const auto a = hn::AndNot(sign, x);
    const auto b = hn::AndNot(sign, y);
    const auto special = hn::Not(hn::Lt(hn::Max(a, b), infinity));
    if (HWY_UNLIKELY(!hn::AllFalse(d, special))) {
      count_special(d, a, infinity, to.base);
      count_special(d, b, infinity, to.fine);
      x = hn::IfThenZeroElse(special, x);
      y = hn::IfThenZeroElse(special, y);
    }
    hn::Store(hn::BitCast(float_d, x), float_d, numbers.base + i);
    hn::Store(hn::BitCast(float_d, y), float_d, numbers.fine + i);
  }
}

template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const double* from) {
  return hn::Load(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const float* from) {
  return hn::PromoteTo(d, hn::Load(hn::Rebind<float, D>(), from));
}

template <typename Float>
void add_sums(const BlockNumbers<Float>& numbers, CompareSums& sums) {
  const hn::CappedTag<double, kCompareLanes> d;
  for (size_t lane = 0; lane < kCompareLanes; lane += hn::Lanes(d)) {
    auto base = hn::LoadU(d, &sums.base[lane]);
    auto fine = hn::LoadU(d, &sums.fine[lane]);
    auto squares = hn::LoadU(d, &sums.delta[lane]);
    auto product = hn::LoadU(d, &sums.product[lane]);
    auto largest = hn::LoadU(d, &sums.largest[lane]);
    for (size_t i = lane; i < kBlock; i += kCompareLanes) {
      const auto x = load_double(d, numbers.base + i);
      const auto y = load_double(d, numbers.fine + i);
      const auto delta = hn::Sub(y, x);
      base = hn::Add(base, hn::Mul(x, x));
      fine = hn::Add(fine, hn::Mul(y, y));
      squares = hn::Add(squares, hn::Mul(delta, delta));
      product = hn::Add(product, hn::Mul(x, y));
      largest = hn::Max(largest, hn::Abs(delta));
    }
    hn::StoreU(base, d, &sums.base[lane]);
    hn::StoreU(fine, d, &sums.fine[lane]);
    hn::StoreU(squares, d, &sums.delta[lane]);
    hn::StoreU(product, d, &sums.product[lane]);
    hn::StoreU(largest, d, &sums.largest[lane]);
  }
}

template <class Type, typename Float>
void compare_as(const std::byte* base, const std::byte* fine, size_t count, FloatComparison& to) {
  using Bits = typename Type::Scalar::Bits;
  constexpr size_t kBytes = kBlock * sizeof(Bits);
  BlockWords<Bits> words;
  BlockNumbers<Float> numbers;
  PositionCounts<Bits> bits;
  PositionCounts<Bits> apart;
  std::byte last[2][kBytes];
  for (size_t i = 0; i < count; i += kBlock) {
    const std::byte* x = base + i * sizeof(Bits);
    const std::byte* y = fine + i * sizeof(Bits);
    if (count - i < kBlock) {
      std::memset(last, 0, sizeof last);
      x = static_cast<std::byte*>(std::memcpy(last[0], x, (count - i) * sizeof(Bits)));
      y = static_cast<std::byte*>(std::memcpy(last[1], y, (count - i) * sizeof(Bits)));
    }
    make_words(x, y, words);
    bits.add(words.bits);
    apart.add(words.apart);
    widen_numbers<Type>(x, y, numbers, to);
    add_sums(numbers, to.sums);
  }
  bits.finish(to.bits.data());
  apart.finish(to.apart.data());
}

template <class Type>
void compare(const std::byte* base, const std::byte* fine, size_t count, FloatComparison& to) {
  using Bits = typename Type::Scalar::Bits;
  using Float = std::conditional_t<sizeof(Bits) == 8, double, float>;
  compare_as<Type, Float>(base, fine, count, to);
}

#endif  // HWY_TARGET == HWY_SCALAR

void compare_any(DType type, const std::byte* base, const std::byte* fine, size_t count,
                 FloatComparison& to) {
  if (type == DType::kF16) compare<F16>(base, fine, count, to);
  if (type == DType::kBF16) compare<BF16>(base, fine, count, to);
  if (type == DType::kF32) compare<F32>(base, fine, count, to);
  if (type == DType::kF64) compare<CompareF64>(base, fine, count, to);
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(compare_any);

bool is_comparable_float(DType type) { return is_castable(type) || type == DType::kF64; }

void compare_floats(DType type, const std::byte* base, const std::byte* fine, size_t count,
                    FloatComparison& to) {
  HWY_DYNAMIC_DISPATCH(compare_any)(type, base, fine, count, to);
}

}  // namespace finedelta
#endif  // HWY_ONCE
