// Loads and stores of vectors at any alignment; included once for each Highway target, by .cc files
// only. Not for one-lane targets (SCALAR), which have no vector of bytes.
//
// Kernels call every operation by its full name, hn::Add and not Add: SVE's vectors are built-in
// types, whose operations argument-dependent lookup does not find.
#if defined(FINEDELTA_KERNELS_BYTES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FINEDELTA_KERNELS_BYTES_INL_H_
#undef FINEDELTA_KERNELS_BYTES_INL_H_
#else
#define FINEDELTA_KERNELS_BYTES_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Bytes are the only type that may be read at any address; the vector is the same.
template <class D>
HWY_INLINE hn::Vec<D> load_vector(D d, const std::byte* from) {
  const hn::Repartition<uint8_t, D> d8;
  return hn::BitCast(d, hn::LoadU(d8, reinterpret_cast<const uint8_t*>(from)));
}

template <class D>
HWY_INLINE void store_vector(hn::Vec<D> vector, D, std::byte* to) {
  const hn::Repartition<uint8_t, D> d8;
  hn::StoreU(hn::BitCast(d8, vector), d8, reinterpret_cast<uint8_t*>(to));
}

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#endif  // per-target include guard
