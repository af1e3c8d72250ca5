// Lanes of F16, BF16 and F32 as F32 bits, and back; included once for each Highway target, by .cc
// files only. On one-lane targets (SCALAR) the types of cast_scalar.h take their place.
#if defined(FINEDELTA_KERNELS_FLOAT_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FINEDELTA_KERNELS_FLOAT_LANES_INL_H_
#undef FINEDELTA_KERNELS_FLOAT_LANES_INL_H_
#else
#define FINEDELTA_KERNELS_FLOAT_LANES_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/bytes-inl.h"
#include "kernels/cast_scalar.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

using scalar::BF16;
using scalar::F16;
using scalar::F32;

#else

// Each of these is the vector form of its namesake in cast_scalar.h; D has lanes of uint32_t. The
// comments on the arithmetic are in numeric/float_cast.h.

struct F16 {
  using Scalar = scalar::F16;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V widen(D d, V value) {
    const V sign = hn::ShiftLeft<16>(hn::And(value, hn::Set(d, 0x8000)));
    const V magnitude = hn::And(value, hn::Set(d, 0x7FFF));
    const V normal = hn::Add(hn::ShiftLeft<13>(magnitude), hn::Set(d, kF16Rebias));
    // The largest exponent moves up a second time, to the largest exponent of F32.
    const V special = hn::Add(normal, hn::Set(d, kF16Rebias));
    V widened = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, kF16Infinity)), normal, special);
    widened = hn::IfThenElse(hn::Gt(magnitude, hn::Set(d, kF16Mantissa)), widened,
                             subnormal(d, magnitude));
    return hn::Or(sign, widened);
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow(D d, V value) {
    const V sign = hn::And(hn::ShiftRight<16>(value), hn::Set(d, 0x8000));
    const V magnitude = hn::And(value, hn::Set(d, kF32Magnitude));
    V narrowed = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, kF16SmallestNormal)),
                                narrow_to_subnormal(d, magnitude), narrow_to_normal(d, magnitude));
    narrowed = hn::IfThenElse(hn::Gt(magnitude, hn::Set(d, kF32Infinity)), narrow_nan(d, magnitude),
                              narrowed);
    return hn::Or(sign, narrowed);
  }

 private:
  // As a float, an integer of 10 bits is exact: what remains is to take 24 from its exponent.
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V subnormal(D d, V magnitude) {
    const hn::RebindToSigned<D> signed_d;
    const hn::RebindToFloat<D> float_d;
    const V units = hn::BitCast(d, hn::ConvertTo(float_d, hn::BitCast(signed_d, magnitude)));
    return hn::IfThenZeroElse(hn::Eq(magnitude, hn::Zero(d)),
                              hn::Sub(units, hn::Set(d, 24u << 23)));
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow_to_normal(D d, V magnitude) {
    const V capped = hn::Sub(hn::Min(magnitude, hn::Set(d, kF16Overflow)), hn::Set(d, kF16Rebias));
    const V odd = hn::And(hn::ShiftRight<13>(capped), hn::Set(d, 1));
    return hn::ShiftRight<13>(hn::Add(hn::Add(capped, hn::Set(d, 0xFFF)), odd));
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow_to_subnormal(D d, V magnitude) {
    const V one = hn::Set(d, 1);
    const V mantissa = hn::Or(hn::And(magnitude, hn::Set(d, 0x7F'FFFF)), hn::Set(d, 0x80'0000));
    // The lanes of larger numbers, whose result is not used, must not shift too far either.
    const V exponent = hn::ShiftRight<23>(hn::Min(magnitude, hn::Set(d, kF16SmallestNormal)));
    const V shift = hn::Min(hn::Sub(hn::Set(d, 126), exponent), hn::Set(d, 25));
    const V half = hn::Shl(one, hn::Sub(shift, one));
    const V odd = hn::And(hn::Shr(mantissa, shift), one);
    return hn::Shr(hn::Add(hn::Add(mantissa, hn::Sub(half, one)), odd), shift);
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow_nan(D d, V magnitude) {
    const V kept = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, kF16Mantissa));
    const V quiet = hn::IfThenElseZero(hn::Eq(kept, hn::Zero(d)), hn::Set(d, kF16QuietBit));
    return hn::Or(hn::Or(hn::Set(d, kF16Infinity), kept), quiet);
  }
};

struct BF16 {
  using Scalar = scalar::BF16;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V widen(D, V value) {
    return hn::ShiftLeft<16>(value);
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow(D d, V value) {
    const V kept = hn::ShiftRight<16>(value);
    const V odd = hn::And(kept, hn::Set(d, 1));
    const V rounded = hn::ShiftRight<16>(hn::Add(hn::Add(value, hn::Set(d, 0x7FFF)), odd));
    const auto vanishes = hn::Eq(hn::And(kept, hn::Set(d, kBF16Mantissa)), hn::Zero(d));
    const V nan = hn::Or(kept, hn::IfThenElseZero(vanishes, hn::Set(d, kBF16QuietBit)));
    const auto is_nan = hn::Gt(hn::And(value, hn::Set(d, kF32Magnitude)), hn::Set(d, kF32Infinity));
    return hn::IfThenElse(is_nan, nan, rounded);
  }
};

struct F32 {
  using Scalar = scalar::F32;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V widen(D, V value) {
    return value;
  }

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V narrow(D, V value) {
    return value;
  }
};

template <typename Bits, class D>
HWY_INLINE hn::Vec<D> load_bits(D d, const std::byte* from) {
  if constexpr (sizeof(Bits) == 4) {
    return load_vector(d, from);
  } else {
    return hn::PromoteTo(d, load_vector(hn::Rebind<Bits, D>(), from));
  }
}

template <typename Bits, class D>
HWY_INLINE void store_bits(hn::Vec<D> vector, D d, std::byte* to) {
  if constexpr (sizeof(Bits) == 4) {
    store_vector(vector, d, to);
  } else {
    const hn::Rebind<Bits, D> narrow_d;
    store_vector(hn::TruncateTo(narrow_d, vector), narrow_d, to);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
