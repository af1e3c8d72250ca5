#include "kernels/low_rank.h"

#include <algorithm>
#include <cstring>

#include "kernels/low_rank_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/low_rank.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/float_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

using scalar::BF16;
using scalar::F16;
using scalar::F32;

template <class Type>
void add(const LowRankProduct& product, uint64_t first, size_t count, const std::byte* base,
         std::byte* out) {
  scalar::add_low_rank<Type>(product, first, count, base, out);
}

#else

// The part of `right` that all rows go over before the next part stays in an L1 cache of 32 KiB,
// beside the rows' own data.
constexpr size_t kRightBlockBytes = size_t{20} * 1024;

// sum + the two products of each lane's halves. On x86 one instruction and an addition; elsewhere
// `odd` takes up one product of each lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V add_pairs(D d, V left, V right, V sum, V& odd) {
  const hn::Repartition<int16_t, D> d16;
  return hn::ReorderWidenMulAccumulate(d, hn::BitCast(d16, left), hn::BitCast(d16, right), sum,
                                       odd);
}

// Steps 2 to 4 for one vector of elements.
template <class Type, class D, class V = hn::Vec<D>>
HWY_INLINE void finish(D d, V even, V odd, float scale, const std::byte* base, std::byte* out) {
  using Bits = typename Type::Scalar::Bits;
  const hn::RebindToUnsigned<D> bits_d;
  const hn::RebindToFloat<D> float_d;
  const V sum = hn::RearrangeToOddPlusEven(even, odd);
  const V value = hn::BitCast(d, Type::widen(bits_d, load_bits<Bits>(bits_d, base)));
  const auto product = hn::Mul(hn::ConvertTo(float_d, sum), hn::Set(float_d, scale));
  const V moved = hn::BitCast(d, hn::Add(hn::BitCast(float_d, value), product));
  const V magnitude = hn::And(value, hn::Set(d, static_cast<int32_t>(kF32Magnitude)));
  const auto special = hn::Gt(magnitude, hn::Set(d, static_cast<int32_t>(kF32Infinity) - 1));
  const auto stays = hn::Or(special, hn::Eq(sum, hn::Zero(d)));
  const V result = hn::IfThenElse(stays, value, moved);
  store_bits<Bits>(Type::narrow(bits_d, hn::BitCast(bits_d, result)), bits_d, out);
}

// One vector of elements of one row.
template <class Type, class D>
HWY_INLINE void add_vector(D d, const LowRankProduct& product, uint64_t row, size_t column,
                           const std::byte* base, std::byte* out) {
  const int32_t* left = product.left + row * product.pairs;
  const int32_t* right = product.right + column;
  auto even = hn::Zero(d);
  auto odd = hn::Zero(d);
  for (size_t p = 0; p < product.pairs; ++p) {
    even = add_pairs(d, hn::Set(d, left[p]), hn::LoadU(d, right + p * product.stride), even, odd);
  }
  finish<Type>(d, even, odd, product.scale, base, out);
}

// One vector of elements of each of four rows, `row_bytes` apart: `right` is loaded once for all.
// (Vectors of SVE can't be put into an array to make this a loop.)
template <class Type, class D>
HWY_INLINE void add_four_vectors(D d, const LowRankProduct& product, uint64_t row, size_t column,
                                 size_t row_bytes, const std::byte* base, std::byte* out) {
  const int32_t* left_0 = product.left + row * product.pairs;
  const int32_t* left_1 = left_0 + product.pairs;
  const int32_t* left_2 = left_1 + product.pairs;
  const int32_t* left_3 = left_2 + product.pairs;
  const int32_t* right = product.right + column;
  auto even_0 = hn::Zero(d), even_1 = even_0, even_2 = even_0, even_3 = even_0;
  auto odd_0 = even_0, odd_1 = even_0, odd_2 = even_0, odd_3 = even_0;
  for (size_t p = 0; p < product.pairs; ++p) {
    const auto pair = hn::LoadU(d, right + p * product.stride);
    even_0 = add_pairs(d, hn::Set(d, left_0[p]), pair, even_0, odd_0);
    even_1 = add_pairs(d, hn::Set(d, left_1[p]), pair, even_1, odd_1);
    even_2 = add_pairs(d, hn::Set(d, left_2[p]), pair, even_2, odd_2);
    even_3 = add_pairs(d, hn::Set(d, left_3[p]), pair, even_3, odd_3);
  }
  const float scale = product.scale;
  finish<Type>(d, even_0, odd_0, scale, base, out);
  finish<Type>(d, even_1, odd_1, scale, base + row_bytes, out + row_bytes);
  finish<Type>(d, even_2, odd_2, scale, base + 2 * row_bytes, out + 2 * row_bytes);
  finish<Type>(d, even_3, odd_3, scale, base + 3 * row_bytes, out + 3 * row_bytes);
}

// Fewer elements than a vector has.
template <class Type, class D>
void add_part(D d, const LowRankProduct& product, uint64_t row, size_t column, size_t count,
              const std::byte* base, std::byte* out) {
  constexpr size_t kSize = sizeof(typename Type::Scalar::Bits);
  std::byte whole_base[kLowRankPadding * kSize] = {};
  std::byte whole_out[kLowRankPadding * kSize];
  std::memcpy(whole_base, base, count * kSize);
  add_vector<Type>(d, product, row, column, whole_base, whole_out);
  std::memcpy(out, whole_out, count * kSize);
}

// `count` elements of one row.
template <class Type, class D>
void add_row(D d, const LowRankProduct& product, uint64_t row, size_t column, size_t count,
             const std::byte* base, std::byte* out) {
  constexpr size_t kSize = sizeof(typename Type::Scalar::Bits);
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    add_vector<Type>(d, product, row, column + i, base + i * kSize, out + i * kSize);
  }
  if (i < count) {
    add_part<Type>(d, product, row, column + i, count - i, base + i * kSize, out + i * kSize);
  }
}

// `count` elements of each of `rows` whole rows, from `column` on.
template <class Type, class D>
void add_block(D d, const LowRankProduct& product, uint64_t row, size_t rows, size_t column,
               size_t count, const std::byte* base, std::byte* out) {
  constexpr size_t kSize = sizeof(typename Type::Scalar::Bits);
  const size_t row_bytes = product.columns * kSize;
  const size_t lanes = hn::Lanes(d);
  const size_t vectors_end = count / lanes * lanes;
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (size_t i = 0; i < vectors_end; i += lanes) {
      const size_t offset = r * row_bytes + i * kSize;
      add_four_vectors<Type>(d, product, row + r, column + i, row_bytes, base + offset,
                             out + offset);
    }
    if (vectors_end == count) continue;
    for (size_t k = r; k < r + 4; ++k) {
      const size_t offset = k * row_bytes + vectors_end * kSize;
      add_part<Type>(d, product, row + k, column + vectors_end, count - vectors_end, base + offset,
                     out + offset);
    }
  }
  for (; r < rows; ++r) {
    add_row<Type>(d, product, row + r, column, count, base + r * row_bytes, out + r * row_bytes);
  }
}

template <class Type, class D>
void add_whole_rows(D d, const LowRankProduct& product, uint64_t row, size_t rows,
                    const std::byte* base, std::byte* out) {
  constexpr size_t kSize = sizeof(typename Type::Scalar::Bits);
  const size_t fitting = kRightBlockBytes / (sizeof(int32_t) * std::max<size_t>(product.pairs, 1));
  const size_t block = std::max(fitting / kLowRankPadding, size_t{1}) * kLowRankPadding;
  for (size_t column = 0; column < product.columns; column += block) {
    const size_t count = std::min(block, product.columns - column);
    add_block<Type>(d, product, row, rows, column, count, base + column * kSize,
                    out + column * kSize);
  }
}

template <class Type>
void add(const LowRankProduct& product, uint64_t first, size_t count, const std::byte* base,
         std::byte* out) {
  constexpr size_t kSize = sizeof(typename Type::Scalar::Bits);
  const hn::ScalableTag<int32_t> d;
  uint64_t row = first / product.columns;
  if (const size_t column = first % product.columns; column != 0) {
    const size_t head = std::min(count, product.columns - column);
    add_row<Type>(d, product, row++, column, head, base, out);
    base += head * kSize;
    out += head * kSize;
    count -= head;
  }
  const size_t rows = count / product.columns;
  const size_t whole = rows * product.columns;
  add_whole_rows<Type>(d, product, row, rows, base, out);
  if (whole == count) return;
  add_row<Type>(d, product, row + rows, 0, count - whole, base + whole * kSize,
                out + whole * kSize);
}

#endif  // HWY_TARGET == HWY_SCALAR

void add_any(DType dtype, const LowRankProduct& product, uint64_t first, size_t count,
             const std::byte* base, std::byte* out) {
  if (dtype == DType::kF16) return add<F16>(product, first, count, base, out);
  if (dtype == DType::kBF16) return add<BF16>(product, first, count, base, out);
  if (dtype == DType::kF32) return add<F32>(product, first, count, base, out);
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(add_any);

namespace {

int32_t pair_of(std::span<const int16_t> factors, size_t length, size_t pair, size_t i) {
  const size_t low = 2 * pair * length + i;
  const size_t high = low + length;
  const auto low_half = static_cast<uint16_t>(factors[low]);
  const auto high_half = static_cast<uint16_t>(high < factors.size() ? factors[high] : 0);
  return static_cast<int32_t>(uint32_t{high_half} << 16 | low_half);
}

size_t pairs_of(std::span<const int16_t> factors, size_t length) {
  return (factors.size() / length + 1) / 2;
}

}  // namespace

std::vector<int32_t> pack_left(std::span<const int16_t> factors, size_t length) {
  const size_t pairs = pairs_of(factors, length);
  std::vector<int32_t> packed(length * pairs);
  for (size_t i = 0; i < length; ++i) {
    for (size_t p = 0; p < pairs; ++p) packed[i * pairs + p] = pair_of(factors, length, p, i);
  }
  return packed;
}

std::vector<int32_t> pack_right(std::span<const int16_t> factors, size_t length) {
  const size_t pairs = pairs_of(factors, length);
  const size_t stride = length + kLowRankPadding;
  std::vector<int32_t> packed(pairs * stride);
  for (size_t p = 0; p < pairs; ++p) {
    for (size_t i = 0; i < length; ++i) packed[p * stride + i] = pair_of(factors, length, p, i);
  }
  return packed;
}

void add_low_rank(DType dtype, const LowRankProduct& product, uint64_t first, size_t count,
                  const std::byte* base, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(add_any)(dtype, product, first, count, base, out);
}

}  // namespace finedelta
#endif  // HWY_ONCE
