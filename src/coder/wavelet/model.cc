#include "coder/wavelet/model.h"

#include <algorithm>
#include <bit>

#include "kernels/large_differences.h"
#include "kernels/symbols.h"
#include "kernels/trailing_bits.h"

namespace finedelta::wavelet {

namespace {

// So many units at a time, whose intermediate results stay in the first-level cache.
constexpr size_t kBlock = 2048;

template <typename T>
void make_difference_symbols(Bytes value, Bytes prediction, uint8_t* symbols, BitWriter& rest) {
  const size_t count = value.size() / sizeof(T);
  std::byte differences[(kBlock + kSymbolSlack) * sizeof(T)];
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(kBlock, count - begin);
    const size_t offset = begin * sizeof(T);
    make_differences(sizeof(T), value.data() + offset, prediction.data() + offset, size,
                     differences);
    symbols_of_differences(sizeof(T), differences, size, symbols + begin);
    BitSink bits = rest.sink(size * 8 * sizeof(T));
    name_large_differences(sizeof(T), differences, size, symbols + begin, bits);
    rest.give_back(bits);
  }
}

template <typename T>
void apply_difference_symbols(const uint8_t* symbols, Bytes prediction, BitReader& rest,
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
}

// So many leading symbols at a time: values far below the top, which are rare, make a block slow.
constexpr size_t kLeadingBlock = 512;
constexpr uint8_t kFarSymbol = 2 * kFarBelow;

uint8_t highest(const uint8_t* symbols, size_t count) {
  uint8_t most = 0;
  for (size_t i = 0; i < count; ++i) most = std::max(most, symbols[i]);
  return most;
}

// What is written apart of a value with leading symbols: the bits behind them, or the whole
// magnitude where it is far below the top.
template <typename T>
void write_trailing_bits(const Model& model, FloatLayout layout, Bytes value,
                         const uint8_t* symbols, BitWriter& out) {
  const size_t count = value.size() / sizeof(T);
  const unsigned trailing = layout.mantissa - model.symbol_bits;
  BitSink rest = out.sink(count * 8 * sizeof(T));
  for (size_t begin = 0; begin < count; begin += kLeadingBlock) {
    const size_t size = std::min(kLeadingBlock, count - begin);
    const std::byte* const from = value.data() + begin * sizeof(T);
    if (highest(symbols + begin, size) < kFarSymbol) {
      put_trailing_bits(sizeof(T), from, size, trailing, rest);
      continue;
    }
    for (size_t i = 0; i < size; ++i) {
      const unsigned bits = symbols[begin + i] < kFarSymbol ? trailing : layout.bits - 1;
      rest.put(load<T>(from + i * sizeof(T)) & ((uint64_t{1} << bits) - 1), bits);
    }
  }
  out.give_back(rest);
}

// A block in which values may be far below the top. False where one is over the top.
template <typename T>
bool apply_far_symbols(const Model& model, FloatLayout layout, const uint8_t* symbols, size_t count,
                       const std::byte* prediction, BitReader& in, std::byte* value) {
  BitReader rest = in;
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
    if (prediction != nullptr) sign ^= load<T>(prediction + i * sizeof(T)) >> sign_place;
    store(value + i * sizeof(T), static_cast<T>(magnitude | sign << sign_place));
  }
  in = rest;
  return fits;
}

template <typename T>
bool apply_leading_symbols(const Model& model, FloatLayout layout, const uint8_t* symbols,
                           Bytes prediction, BitReader& rest, MutableBytes value) {
  const size_t count = value.size() / sizeof(T);
  const unsigned trailing = layout.mantissa - model.symbol_bits;
  for (size_t begin = 0; begin < count; begin += kLeadingBlock) {
    const size_t size = std::min(kLeadingBlock, count - begin);
    const std::byte* const from =
        prediction.empty() ? nullptr : prediction.data() + begin * sizeof(T);
    std::byte* const to = value.data() + begin * sizeof(T);
    const uint8_t most = highest(symbols + begin, size);
    if (most >= kFarSymbol) {
      if (!apply_far_symbols<T>(model, layout, symbols + begin, size, from, rest, to)) return false;
      continue;
    }
    const size_t end = rest.at() + size * trailing;
    if (most / 2 > model.symbol_top || end > rest.end()) return false;
    values_of_leading(sizeof(T), symbols + begin, size, model.symbol_top, from, rest.data(),
                      rest.at(), trailing, to);
    rest.seek(end);
  }
  return true;
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
      apply_difference_symbols<T>(symbols, prediction, rest, value);
      return true;
    }
    return apply_leading_symbols<T>(model, layout, symbols, prediction, rest, value);
  });
}

}  // namespace finedelta::wavelet
