// What the vector forms of residual.h share. Included once for each Highway target, by .cc files
// only. Not for one-lane targets (SCALAR).
#if defined(FINEDELTA_KERNELS_RESIDUAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FINEDELTA_KERNELS_RESIDUAL_INL_H_
#undef FINEDELTA_KERNELS_RESIDUAL_INL_H_
#else
#define FINEDELTA_KERNELS_RESIDUAL_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "kernels/residual_scalar.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whole vectors of units of type T.
template <typename T>
struct ResidualVectors {
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
};

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif  // per-target include guard
