// What a matrix becomes when a product of two narrow integer matrices is added to it:
//
//   out[i][j] = round_to_dtype(base[i][j] + scale * sum over k of left[i][k] * right[j][k])
//
// in these steps, which give the same bits on every target and compiler:
//   1. the sum, in integers;
//   2. where the sum is 0, or base[i][j] is infinite or NaN, the result is base[i][j] as it is;
//   3. else, in F32 and rounding to nearest even: the sum is converted, multiplied by the scale,
//   and
//      added to base[i][j] widened to F32;
//   4. the sum of that is converted to the type by the rules of numeric/float_cast.h.
//
// The bounds on the scale keep step 3 away from subnormal results and from overflow, and a
// subnormal base value too small to count: so modes that flush subnormal numbers to zero change
// nothing.
#ifndef FINEDELTA_KERNELS_LOW_RANK_H_
#define FINEDELTA_KERNELS_LOW_RANK_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "numeric/dtype.h"

namespace finedelta {

// 2^-100 to just under 2^64, as the bits of F32; no sign.
inline constexpr uint32_t kSmallestLowRankScale = (127u - 100) << 23;
inline constexpr uint32_t kLowRankScaleEnd = (127u + 64) << 23;
[[nodiscard]] inline bool is_low_rank_scale(float scale) {
  const auto bits = std::bit_cast<uint32_t>(scale);
  return bits >= kSmallestLowRankScale && bits < kLowRankScaleEnd;
}

// Factors are at most this, on both sides of zero: so sums of two products fit 32 bits.
inline constexpr int32_t kLargestLowRankFactor = 32767;
// What |left[i][0] * right[j][0]| + |left[i][1] * right[j][1]| + ... may be at most.
inline constexpr int64_t kLargestLowRankSum = 2147483647;

// `right` is read beyond its last column by up to this many elements less one.
inline constexpr size_t kLowRankPadding = 64;

// The factors as the loops read them. Each int32_t holds two of them, ranks 2p (in the low half)
// and 2p + 1 (0 where the rank is odd).
struct LowRankProduct {
  size_t columns = 0;             // of the matrix, at least 1
  size_t pairs = 0;               // half of the rank, rounded up
  float scale = 0;                // within its bounds
  const int32_t* left = nullptr;  // rows x pairs
  const int32_t* right = nullptr;
  size_t stride = 0;  // of `right`, pairs x stride; at least columns + kLowRankPadding
};

// Packs columns of int16_t factors (column k begins at factors[k * length]) into the order of
// `left`, and of `right` with the stride columns + kLowRankPadding. `factors` is rank x length.
[[nodiscard]] std::vector<int32_t> pack_left(std::span<const int16_t> factors, size_t length);
[[nodiscard]] std::vector<int32_t> pack_right(std::span<const int16_t> factors, size_t length);

// Fills `count` elements of the row-major matrix from element `first` on; `base` and `out` point to
// the first of them, may be unaligned, and do not overlap. Needs F16, BF16 or F32, and factors
// within the bounds above.
void add_low_rank(DType dtype, const LowRankProduct& product, uint64_t first, size_t count,
                  const std::byte* base, std::byte* out);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_LOW_RANK_H_
