#include "safetensors/header.h"
#include "safetensors/json_scanner.h"

namespace finedelta::safetensors {

std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> shape) {
  uint64_t elements = 1;
  bool empty = false;
  for (const uint64_t dimension : shape) {
    if (dimension == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(elements, dimension, &elements)) {
      return std::nullopt;
    }
  }
  // Eight elements are a whole number of bytes in every dtype.
  const uint64_t bits = dtype_bits(dtype);
  const uint64_t last_bits = elements % 8 * bits;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / 8, bits, &bytes) ||
      __builtin_add_overflow(bytes, last_bits / 8, &bytes) || bytes > kLargestNumber) {
    return std::nullopt;
  }
  if (empty) return 0;
  if (last_bits % 8 != 0) return std::nullopt;
  return bytes;
}

}  // namespace finedelta::safetensors
