#include "coder/wavelet/header.h"

#include <bit>

namespace finedelta::wavelet {

namespace {

// The highest leading bits that a magnitude can have.
uint32_t highest(FloatLayout layout, unsigned mantissa_bits) {
  return (1u << (layout.bits - 1 - layout.mantissa + mantissa_bits)) - 1;
}

// Reads leading bits; they must be of a magnitude.
uint32_t read_top(ByteReader& in, FloatLayout layout, unsigned mantissa_bits) {
  if (mantissa_bits > layout.mantissa) {
    in.reject("its symbols are wider than its numbers");
    return 0;
  }
  const uint64_t top = in.varint();
  if (top > highest(layout, mantissa_bits)) in.reject("its symbols begin too high");
  return in.ok() ? static_cast<uint32_t>(top) : 0;
}

}  // namespace

void write_header(const Header& header, ByteWriter& out) {
  const Model& model = header.model;
  const auto width = static_cast<unsigned>(std::bit_width(header.lanes));
  const unsigned lanes_code = width > 1 ? width - 1 : width;
  out.u8(static_cast<uint8_t>(static_cast<unsigned>(model.kind) | (model.precision - 1u) << 1 |
                              unsigned{model.symbol_bits} << 3 | lanes_code << 5));
  out.u8(static_cast<uint8_t>((model.streams() - 1) | unsigned{model.context_bits} << 4 |
                              unsigned{model.class_log2} << 6));
  if (model.contexts > 1) out.varint(model.context_top);
  if (model.kind == SymbolKind::kLeading) out.varint(model.symbol_top);
  out.varint(header.bit_bytes);
}

Header read_header(ByteReader& in, FloatLayout layout) {
  Header header;
  Model& model = header.model;
  const unsigned first = in.u8();
  const unsigned second = in.u8();
  model.kind = static_cast<SymbolKind>(first & 1);
  model.precision = static_cast<uint8_t>((first >> 1 & 3) + 1);
  model.symbol_bits = static_cast<uint8_t>(first >> 3 & 3);
  header.lanes = first >> 5 > 1 ? 1u << (first >> 5) : first >> 5;
  model.context_bits = static_cast<uint8_t>(second >> 4 & 3);
  model.class_log2 = static_cast<uint8_t>(second >> 6);
  const unsigned streams = (second & 15) + 1;
  model.contexts = static_cast<uint8_t>(streams >> model.class_log2);
  if (model.class_log2 > kMostClassLog2 || model.streams() != streams) {
    in.reject("its classes are of no known kind");
    model.contexts = 1;
  }
  if (model.precision > 3) in.reject("its tables are too precise");
  if (model.kind == SymbolKind::kDifference && model.symbol_bits != 0) {
    in.reject("its symbols are of no known kind");
  }
  if (model.context_bits > (model.contexts > 1 ? kMostFraction : 0)) {
    in.reject("its contexts are of no known kind");
  }
  if (model.contexts > 1) model.context_top = read_top(in, layout, model.context_bits);
  if (model.kind == SymbolKind::kLeading) {
    model.symbol_top = read_top(in, layout, model.symbol_bits);
  }
  header.bit_bytes = in.varint();
  return header;
}

}  // namespace finedelta::wavelet
