// What the symbols of a chunk are and which contexts they come in: spec.md, "Symbols", "Contexts".
#ifndef FINEDELTA_CODER_WAVELET_MODEL_H_
#define FINEDELTA_CODER_WAVELET_MODEL_H_

#include <cstdint>
#include <optional>

#include "base/bit_stream.h"
#include "base/bytes.h"
#include "kernels/residual.h"
#include "kernels/symbols.h"
#include "numeric/float_layout.h"

namespace finedelta::wavelet {

enum class SymbolKind : uint8_t {
  kDifference = 0,  // from the prediction
  kLeading = 1,     // the leading bits of the value itself
};

inline constexpr unsigned kMostContexts = kMostStreams;  // a stream for each one of each class
inline constexpr unsigned kMostClassLog2 = 2;
inline constexpr size_t kBlockUnits = 64;  // of one class
inline constexpr unsigned kMostFraction = 3;

// Of kLeading: values so far below the top, in steps of the leading bits, are one symbol.
inline constexpr uint8_t kFarBelow = 126;

struct Model {
  SymbolKind kind = SymbolKind::kDifference;
  uint8_t precision = 1;     // of the tables
  uint8_t contexts = 1;      // that the prediction tells apart
  uint8_t class_log2 = 0;    // each block of units is of one of 2^class_log2 classes
  uint8_t context_bits = 0;  // bits of the prediction's mantissa that are part of the context
  uint32_t context_top = 0;  // leading bits of a prediction that is in context 0, or of a lower one
  uint8_t symbol_bits = 0;   // kLeading: bits of the mantissa that are part of the symbol
  uint32_t symbol_top = 0;   // kLeading: the highest leading bits of a value

  [[nodiscard]] unsigned classes() const { return 1u << class_log2; }
  [[nodiscard]] unsigned streams() const { return unsigned{contexts} << class_log2; }

  [[nodiscard]] LeadingBits context_leading(FloatLayout layout) const {
    return {.shift = layout.mantissa - context_bits,
            .top = context_top,
            .most = static_cast<uint8_t>(contexts - 1)};
  }
  [[nodiscard]] LeadingBits symbol_leading(FloatLayout layout) const {
    return {.shift = layout.mantissa - symbol_bits, .top = symbol_top, .most = kFarBelow};
  }
};

[[nodiscard]] constexpr size_t block_count(size_t units) {
  return (units + kBlockUnits - 1) / kBlockUnits;
}

// The number of symbols that a kind has; all are below.
[[nodiscard]] unsigned symbol_count(SymbolKind kind, FloatLayout layout);

// The symbols of `value`, with room for kSymbolSlack more behind them, and the bits that complete
// them, in order.
void make_symbols(const Model& model, FloatLayout layout, Bytes value, Bytes prediction,
                  uint8_t* symbols, BitWriter& rest);

// The inverse. False when symbols or bits are not what make_symbols makes.
bool apply_symbols(const Model& model, FloatLayout layout, const uint8_t* symbols, Bytes prediction,
                   BitReader& rest, MutableBytes value);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_MODEL_H_
