// Blocked as matrix products are (K. Goto, R. A. van de Geijn: Anatomy of high-performance matrix
// multiplication, ACM Transactions on Mathematical Software 34, 2008), but the lanes of a vector
// are different elements of the result, so that their number does not change the order of a sum.
#include "kernels/product.h"

#include <algorithm>
#include <array>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/product.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Of `out` at a time: what registers hold.
constexpr size_t kTileRows = 4;
// Of `a` at a time: copied, so that its steps do not matter; with a strip of `x`, what a cache
// does.
constexpr size_t kPanelRows = 64;
constexpr size_t kPanelColumns = 256;

// Four rows of a panel after another, column by column; rows that are not there are zeros.
using Panel = std::array<float, kPanelRows * kPanelColumns>;

void copy_panel(const StridedMatrix& a, size_t row, size_t rows, size_t column, size_t columns,
                Panel& panel) {
  for (size_t first = 0; first < rows; first += kTileRows) {
    float* tile = panel.data() + first * columns;
    const size_t there = std::min(kTileRows, rows - first);
    const float* from = a.data + (row + first) * a.row_step + column * a.column_step;
    for (size_t j = 0; j < columns; ++j, tile += kTileRows, from += a.column_step) {
      for (size_t r = 0; r < kTileRows; ++r) tile[r] = r < there ? from[r * a.row_step] : 0.0f;
    }
  }
}

// Two vectors of each of four rows. Not more than 8 lanes, so that a row's width needs no rest.
using D = hn::CappedTag<float, kProductWidth / 2>;

HWY_INLINE void add_tile(const float* HWY_RESTRICT tile, size_t columns,
                         const float* HWY_RESTRICT x, size_t width, float* HWY_RESTRICT out,
                         size_t out_step) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  float* const row0 = out;
  float* const row1 = out + out_step;
  float* const row2 = out + 2 * out_step;
  float* const row3 = out + 3 * out_step;
  auto sum00 = hn::LoadU(d, row0);
  auto sum01 = hn::LoadU(d, row0 + lanes);
  auto sum10 = hn::LoadU(d, row1);
  auto sum11 = hn::LoadU(d, row1 + lanes);
  auto sum20 = hn::LoadU(d, row2);
  auto sum21 = hn::LoadU(d, row2 + lanes);
  auto sum30 = hn::LoadU(d, row3);
  auto sum31 = hn::LoadU(d, row3 + lanes);
  for (size_t j = 0; j < columns; ++j) {
    const auto x0 = hn::LoadU(d, x + j * width);
    const auto x1 = hn::LoadU(d, x + j * width + lanes);
    const auto a0 = hn::Set(d, tile[j * kTileRows]);
    const auto a1 = hn::Set(d, tile[j * kTileRows + 1]);
    const auto a2 = hn::Set(d, tile[j * kTileRows + 2]);
    const auto a3 = hn::Set(d, tile[j * kTileRows + 3]);
    sum00 = hn::Add(sum00, hn::Mul(a0, x0));
    sum01 = hn::Add(sum01, hn::Mul(a0, x1));
    sum10 = hn::Add(sum10, hn::Mul(a1, x0));
    sum11 = hn::Add(sum11, hn::Mul(a1, x1));
    sum20 = hn::Add(sum20, hn::Mul(a2, x0));
    sum21 = hn::Add(sum21, hn::Mul(a2, x1));
    sum30 = hn::Add(sum30, hn::Mul(a3, x0));
    sum31 = hn::Add(sum31, hn::Mul(a3, x1));
  }
  hn::StoreU(sum00, d, row0);
  hn::StoreU(sum01, d, row0 + lanes);
  hn::StoreU(sum10, d, row1);
  hn::StoreU(sum11, d, row1 + lanes);
  hn::StoreU(sum20, d, row2);
  hn::StoreU(sum21, d, row2 + lanes);
  hn::StoreU(sum30, d, row3);
  hn::StoreU(sum31, d, row3 + lanes);
}

// The last rows, which are fewer: in a tile of their own.
HWY_INLINE void add_part_of_tile(const float* tile, size_t columns, const float* x, size_t width,
                                 float* out, size_t rows) {
  std::array<float, kTileRows * kProductWidth> whole{};
  const size_t strip = 2 * hn::Lanes(D());
  for (size_t r = 0; r < rows; ++r) std::copy_n(out + r * width, strip, &whole[r * strip]);
  add_tile(tile, columns, x, width, whole.data(), strip);
  for (size_t r = 0; r < rows; ++r) std::copy_n(&whole[r * strip], strip, out + r * width);
}

void add_panel(const Panel& panel, size_t rows, size_t columns, const float* x, size_t width,
               float* out) {
  const size_t strip = 2 * hn::Lanes(D());
  for (size_t k = 0; k < width; k += strip) {
    size_t row = 0;
    for (; row + kTileRows <= rows; row += kTileRows) {
      add_tile(&panel[row * columns], columns, x + k, width, out + row * width + k, width);
    }
    if (row < rows) {
      add_part_of_tile(&panel[row * columns], columns, x + k, width, out + row * width + k,
                       rows - row);
    }
  }
}

void add_product_any(const StridedMatrix& a, const float* x, size_t width, float* out) {
  Panel panel;
  for (size_t column = 0; column < a.columns; column += kPanelColumns) {
    const size_t columns = std::min(kPanelColumns, a.columns - column);
    for (size_t row = 0; row < a.rows; row += kPanelRows) {
      const size_t rows = std::min(kPanelRows, a.rows - row);
      copy_panel(a, row, rows, column, columns, panel);
      add_panel(panel, rows, columns, x + column * width, width, out + row * width);
    }
  }
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(add_product_any);

void add_product(const StridedMatrix& a, const float* x, size_t width, float* out) {
  HWY_DYNAMIC_DISPATCH(add_product_any)(a, x, width, out);
}

}  // namespace finedelta
#endif  // HWY_ONCE
