// The element types of safetensors files.
#ifndef FINEDELTA_NUMERIC_DTYPE_H_
#define FINEDELTA_NUMERIC_DTYPE_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace finedelta {

// The numbers are part of the archive format: never renumber, only append.
enum class DType : uint8_t {
  kBool = 0,
  kU8 = 1,
  kI8 = 2,
  kU16 = 3,
  kI16 = 4,
  kU32 = 5,
  kI32 = 6,
  kU64 = 7,
  kI64 = 8,
  kF16 = 9,
  kBF16 = 10,
  kF32 = 11,
  kF64 = 12,
  kC64 = 13,
  kF4 = 14,
  kF6E2M3 = 15,
  kF6E3M2 = 16,
  kF8E4M3 = 17,
  kF8E5M2 = 18,
  kF8E4M3FNUZ = 19,
  kF8E5M2FNUZ = 20,
  kF8E8M0 = 21,
};

inline constexpr uint8_t kDTypeCount = 22;

// "BF16": the name in a safetensors header.
[[nodiscard]] std::string_view dtype_name(DType dtype);
[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);

// Bits of one element: 4 to 64. Elements of 4 and 6 bits are packed without gaps.
[[nodiscard]] unsigned dtype_bits(DType dtype);

// Bytes of the unit that coders work on: the element where it is whole bytes, else one byte.
[[nodiscard]] unsigned dtype_unit(DType dtype);

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_DTYPE_H_
