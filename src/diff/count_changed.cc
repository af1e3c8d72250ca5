#include "diff/count_changed.h"

#include <cstddef>

#include "numeric/with_unit.h"

namespace finedelta {

namespace {

template <typename T>
uint64_t count_units(Bytes base, Bytes fine) {
  uint64_t changed = 0;
  for (size_t i = 0; i < base.size(); i += sizeof(T)) {
    changed += load<T>(&base[i]) != load<T>(&fine[i]) ? 1 : 0;
  }
  return changed;
}

// Elements of fewer bits than a byte, the first one in the lowest bits of a group of bytes.
uint64_t count_packed(unsigned bits, size_t group, Bytes base, Bytes fine) {
  uint64_t changed = 0;
  for (size_t i = 0; i < base.size(); i += group) {
    uint32_t differing = 0;
    for (size_t k = 0; k < group && i + k < base.size(); ++k) {
      differing |= std::to_integer<uint32_t>(base[i + k] ^ fine[i + k]) << 8 * k;
    }
    for (; differing != 0; differing >>= bits) {
      changed += (differing & ((1u << bits) - 1)) != 0 ? 1 : 0;
    }
  }
  return changed;
}

}  // namespace

uint64_t count_changed(DType dtype, Bytes base, Bytes fine) {
  const unsigned bits = dtype_bits(dtype);
  if (bits == 4) return count_packed(4, 1, base, fine);
  if (bits == 6) return count_packed(6, 3, base, fine);
  return with_unit(bits / 8, [&]<typename T>(T) { return count_units<T>(base, fine); });
}

}  // namespace finedelta
