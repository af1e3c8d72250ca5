#include "kernels/linear.h"

#include "kernels/linear_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <class From, class To>
void scale(const std::byte* in, float factor, size_t count, std::byte* out) {
  scalar::scale<From, To>(in, factor, 0, count, out);
}

template <class First, class Second, class To>
void combine(const std::byte* first, const std::byte* second, const float (&factors)[2],
             size_t count, std::byte* out) {
  scalar::combine<First, Second, To>(first, second, factors, 0, count, out);
}

#else

template <class D>
using Product = hn::Vec<hn::RebindToFloat<D>>;

// Each of these is the vector form of its namesake in numeric/float_linear.h; D has lanes of
// uint32_t. Lanes that are not safe are zeroed before they are computed with.

template <class D, class V = hn::Vec<D>>
HWY_INLINE hn::Mask<D> is_safe_f32(D d, V bits) {
  const V magnitude = hn::And(bits, hn::Set(d, kF32Magnitude));
  const auto in_range =
      hn::Lt(hn::Sub(magnitude, hn::Set(d, kSafeLeast)), hn::Set(d, kSafeEnd - kSafeLeast));
  return hn::Or(in_range, hn::Eq(magnitude, hn::Zero(d)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE Product<D> product(D, V bits, float factor) {
  const hn::RebindToFloat<D> float_d;
  return hn::Mul(hn::BitCast(float_d, bits), hn::Set(float_d, factor));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V scaled_f32(D d, V value, float factor) {
  const auto safe = is_safe_f32(d, value);
  const V scaled = hn::BitCast(d, product(d, hn::IfThenElseZero(safe, value), factor));
  return hn::IfThenElse(safe, scaled, value);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V combined_f32(D d, V first, V second, const float (&factors)[2]) {
  const auto safe = hn::And(is_safe_f32(d, first), is_safe_f32(d, second));
  const auto one = product(d, hn::IfThenElseZero(safe, first), factors[0]);
  const auto other = product(d, hn::IfThenElseZero(safe, second), factors[1]);
  return hn::IfThenElse(safe, hn::BitCast(d, hn::Add(one, other)), first);
}

template <class From, class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const std::byte* in, size_t i) {
  using Bits = typename From::Scalar::Bits;
  return From::widen(d, load_bits<Bits>(d, in + i * sizeof(Bits)));
}

template <class To, class D>
HWY_INLINE void store_narrow(D d, hn::Vec<D> wide, std::byte* out, size_t i) {
  using Bits = typename To::Scalar::Bits;
  store_bits<Bits>(To::narrow(d, wide), d, out + i * sizeof(Bits));
}

template <class From, class To>
void scale(const std::byte* in, float factor, size_t count, std::byte* out) {
  const hn::ScalableTag<uint32_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    store_narrow<To>(d, scaled_f32(d, load_wide<From>(d, in, i), factor), out, i);
  }
  scalar::scale<typename From::Scalar, typename To::Scalar>(in, factor, i, count, out);
}

template <class First, class Second, class To>
void combine(const std::byte* first, const std::byte* second, const float (&factors)[2],
             size_t count, std::byte* out) {
  const hn::ScalableTag<uint32_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto sum =
        combined_f32(d, load_wide<First>(d, first, i), load_wide<Second>(d, second, i), factors);
    store_narrow<To>(d, sum, out, i);
  }
  scalar::combine<typename First::Scalar, typename Second::Scalar, typename To::Scalar>(
      first, second, factors, i, count, out);
}

#endif  // HWY_TARGET == HWY_SCALAR

// Calls `use` with F16, BF16 or F32.
template <class Use>
void with_type(DType type, const Use& use) {
  if (type == DType::kF16) use(F16());
  if (type == DType::kBF16) use(BF16());
  if (type == DType::kF32) use(F32());
}

void scale_any(const FloatArray& in, float factor, size_t count, DType to, std::byte* out) {
  with_type(in.type, [&](auto from_type) {
    with_type(to, [&](auto to_type) {
      scale<decltype(from_type), decltype(to_type)>(in.data, factor, count, out);
    });
  });
}

void combine_any(const FloatArray& first, const FloatArray& second, const float (&factors)[2],
                 size_t count, DType to, std::byte* out) {
  with_type(first.type, [&](auto first_type) {
    with_type(second.type, [&](auto second_type) {
      with_type(to, [&](auto to_type) {
        combine<decltype(first_type), decltype(second_type), decltype(to_type)>(
            first.data, second.data, factors, count, out);
      });
    });
  });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(scale_any);
HWY_EXPORT(combine_any);

void scale_elements(const FloatArray& in, float factor, size_t count, DType to, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(scale_any)(in, factor, count, to, out);
}

void combine_elements(const FloatArray& first, const FloatArray& second, const float (&factors)[2],
                      size_t count, DType to, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(combine_any)(first, second, factors, count, to, out);
}

}  // namespace finedelta
#endif  // HWY_ONCE
