#include "coder/wavelet/model.h"

#include <algorithm>
#include <bit>

#include "kernels/large_differences.h"
#include "kernels/symbols.h"

namespace finedelta::wavelet {

namespace {

unsigned large_symbol(uint32_t absolute, bool negative) {
  const auto k = static_cast<unsigned>(std::bit_width(absolute)) - 1;
  return kLargeDifference + 4 * (k - kLeastLargeLog2) + 2 * (absolute >> (k - 1) & 1) +
         static_cast<unsigned>(negative);
}

// Calls `visit(place)` for each bit that is set, in order.
template <typename Visit>
void for_each_mark(const std::byte* marks, size_t count, Visit visit) {
  for (size_t begin = 0; begin < count; begin += 64) {
    for (auto word = load<uint64_t>(marks + begin / 8); word != 0; word &= word - 1) {
      visit(begin + static_cast<size_t>(std::countr_zero(word)));
    }
  }
}

template <typename T>
void name_large_differences(const std::byte* differences, const std::byte* marks, size_t count,
                            uint8_t* symbols, BitWriter& out) {
  using Signed = std::make_signed_t<T>;
  BitSink rest = out.sink(count * 8 * sizeof(T));
  for_each_mark(marks, count, [&](size_t i) {
    const int64_t difference = load<Signed>(differences + i * sizeof(T));
    const auto absolute = static_cast<uint32_t>(difference < 0 ? -difference : difference);
    const unsigned symbol = large_symbol(absolute, difference < 0);
    symbols[i] = static_cast<uint8_t>(symbol);
    const auto bits = static_cast<unsigned>(std::bit_width(absolute)) - 2;
    rest.put(absolute & ((uint64_t{1} << bits) - 1), bits);
  });
  out.give_back(rest);
}

// So many units at a time, whose intermediate results stay in the first-level cache.
constexpr size_t kBlock = 2048;

template <typename T>
void make_difference_symbols(Bytes value, Bytes prediction, uint8_t* symbols, BitWriter& rest) {
  const size_t count = value.size() / sizeof(T);
  std::byte differences[kBlock * sizeof(T)];
  std::byte marks[kBlock / 8];
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(kBlock, count - begin);
    const size_t offset = begin * sizeof(T);
    make_differences(sizeof(T), value.data() + offset, prediction.data() + offset, size,
                     differences);
    symbols_of_differences(sizeof(T), differences, size, symbols + begin);
    mark_symbols(symbols + begin, size, kLargeDifference, marks);
    name_large_differences<T>(differences, marks, size, symbols + begin, rest);
  }
}

template <typename T>
bool apply_difference_symbols(const uint8_t* symbols, Bytes prediction, BitReader& rest,
                              MutableBytes value) {
  const size_t count = value.size() / sizeof(T);
  uint8_t large[kBlock + kSymbolSlack];
  std::byte differences[kBlock * sizeof(T) + 64];
  size_t at = rest.at();
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(kBlock, count - begin);
    const size_t offset = begin * sizeof(T);
    const size_t many = select_symbols(symbols + begin, size, kLargeDifference, large);
    at = read_large_differences(sizeof(T), large, many, rest.data(), at, rest.end(), differences);
    values_of_symbols(sizeof(T), symbols + begin, differences, prediction.data() + offset, size,
                      value.data() + offset);
  }
  rest.seek(at);
  return true;
}

// What is written apart of a value with leading symbols: the bits behind them, or the whole
// magnitude where it is far below the top.
template <typename T>
void write_trailing_bits(const Model& model, FloatLayout layout, Bytes value,
                         const uint8_t* symbols, BitWriter& out) {
  const size_t count = value.size() / sizeof(T);
  const unsigned trailing = layout.mantissa - model.symbol_bits;
  BitSink rest = out.sink(count * 8 * sizeof(T));
  for (size_t i = 0; i < count; ++i) {
    const unsigned bits = symbols[i] / 2 < kFarBelow ? trailing : layout.bits - 1;
    rest.put(load<T>(value.data() + i * sizeof(T)) & ((uint64_t{1} << bits) - 1), bits);
  }
  out.give_back(rest);
}

template <typename T>
bool apply_leading_symbols(const Model& model, FloatLayout layout, const uint8_t* symbols,
                           Bytes prediction, BitReader& in, MutableBytes value) {
  BitReader rest = in;
  const size_t count = value.size() / sizeof(T);
  const unsigned trailing = layout.mantissa - model.symbol_bits;
  const unsigned sign_place = layout.bits - 1;
  bool fits = true;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t below = symbols[i] / 2;
    uint32_t magnitude = (model.symbol_top - below) << trailing;
    fits = fits && (below <= model.symbol_top || below == kFarBelow);
    if (below == kFarBelow) {
      magnitude = static_cast<uint32_t>(rest.take(layout.bits - 1));
    } else {
      magnitude |= static_cast<uint32_t>(rest.take(trailing));
    }
    uint32_t sign = symbols[i] & 1;
    if (!prediction.empty()) sign ^= load<T>(prediction.data() + i * sizeof(T)) >> sign_place;
    store(value.data() + i * sizeof(T), static_cast<T>(magnitude | sign << sign_place));
  }
  in = rest;
  return fits;
}

}  // namespace

unsigned symbol_count(SymbolKind kind, FloatLayout layout) {
  if (kind == SymbolKind::kLeading) return 2 * kFarBelow + 2;
  return kLargeDifference + 4 * (layout.bits - kLeastLargeLog2);
}

void make_symbols(const Model& model, FloatLayout layout, Bytes value, Bytes prediction,
                  uint8_t* symbols, BitWriter& rest) {
  with_bits(layout, [&](auto bits) {
    using T = decltype(bits);
    if (model.kind == SymbolKind::kDifference) {
      make_difference_symbols<T>(value, prediction, symbols, rest);
      return;
    }
    leading_symbols(sizeof(T), value.data(), prediction.empty() ? nullptr : prediction.data(),
                    value.size() / sizeof(T), model.symbol_leading(layout), symbols);
    write_trailing_bits<T>(model, layout, value, symbols, rest);
  });
}

bool apply_symbols(const Model& model, FloatLayout layout, const uint8_t* symbols, Bytes prediction,
                   BitReader& rest, MutableBytes value) {
  return with_bits(layout, [&](auto bits) {
    using T = decltype(bits);
    if (model.kind == SymbolKind::kDifference) {
      return apply_difference_symbols<T>(symbols, prediction, rest, value);
    }
    return apply_leading_symbols<T>(model, layout, symbols, prediction, rest, value);
  });
}

}  // namespace finedelta::wavelet
