#include "numeric/dtype.h"

#include <array>
#include <cstddef>

namespace finedelta {

namespace {

struct Row {
  std::string_view name;
  unsigned bits;
};

// Indexed by DType.
constexpr std::array<Row, kDTypeCount> kRows = {{
    {"BOOL", 8},        {"U8", 8},      {"I8", 8},      {"U16", 16},    {"I16", 16},
    {"U32", 32},        {"I32", 32},    {"U64", 64},    {"I64", 64},    {"F16", 16},
    {"BF16", 16},       {"F32", 32},    {"F64", 64},    {"C64", 64},    {"F4", 4},
    {"F6_E2M3", 6},     {"F6_E3M2", 6}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F8_E8M0", 8},
}};

const Row& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

unsigned dtype_bits(DType dtype) { return row(dtype).bits; }

unsigned dtype_unit(DType dtype) {
  const unsigned bits = dtype_bits(dtype);
  return bits % 8 == 0 ? bits / 8 : 1;
}

}  // namespace finedelta
