#include "kernels/cast.h"

#include <cstdint>
#include <cstring>

#include "kernels/cast_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cast.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <class From, class To>
void cast(const std::byte* in, size_t count, std::byte* out) {
  scalar::cast<From, To>(in, 0, count, out);
}

#else

template <class From, class To>
void cast(const std::byte* in, size_t count, std::byte* out) {
  using FromBits = typename From::Scalar::Bits;
  using ToBits = typename To::Scalar::Bits;
  const hn::ScalableTag<uint32_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto wide = From::widen(d, load_bits<FromBits>(d, in + i * sizeof(FromBits)));
    store_bits<ToBits>(To::narrow(d, wide), d, out + i * sizeof(ToBits));
  }
  scalar::cast<typename From::Scalar, typename To::Scalar>(in, i, count, out);
}

#endif  // HWY_TARGET == HWY_SCALAR

void cast_any(DType from, DType to, const std::byte* in, size_t count, std::byte* out) {
  if (from == DType::kF16 && to == DType::kBF16) return cast<F16, BF16>(in, count, out);
  if (from == DType::kF16 && to == DType::kF32) return cast<F16, F32>(in, count, out);
  if (from == DType::kBF16 && to == DType::kF16) return cast<BF16, F16>(in, count, out);
  if (from == DType::kBF16 && to == DType::kF32) return cast<BF16, F32>(in, count, out);
  if (from == DType::kF32 && to == DType::kF16) return cast<F32, F16>(in, count, out);
  if (from == DType::kF32 && to == DType::kBF16) return cast<F32, BF16>(in, count, out);
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(cast_any);

bool is_castable(DType type) {
  return type == DType::kF16 || type == DType::kBF16 || type == DType::kF32;
}

bool can_cast(DType from, DType to) { return from != to && is_castable(from) && is_castable(to); }

void cast_elements(DType from, DType to, const std::byte* in, size_t count, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(cast_any)(from, to, in, count, out);
}

void widen_elements(DType from, const std::byte* in, std::span<float> out) {
  std::byte* const to = std::as_writable_bytes(out).data();
  if (from != DType::kF32) return cast_elements(from, DType::kF32, in, out.size(), to);
  if (!out.empty()) std::memcpy(to, in, out.size_bytes());
}

}  // namespace finedelta
#endif  // HWY_ONCE
