// Logarithms in integers: the same on every machine, for decisions that end up in an archive.
#ifndef FINEDELTA_NUMERIC_LOG2_H_
#define FINEDELTA_NUMERIC_LOG2_H_

#include <array>
#include <bit>
#include <cstdint>

namespace finedelta {

inline constexpr unsigned kLog2Fraction = 16;  // bits of the fraction

// log2(1 + i / 256) for i from 0 to 256: each squaring of the number gives one bit more.
constexpr std::array<uint32_t, 257> make_log2_table() {
  std::array<uint32_t, 257> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint64_t x = uint64_t{256 + i} << 22;  // in [1, 2), 30 bits of fraction
    for (unsigned bit = 0; bit < kLog2Fraction; ++bit) {
      x = x * x >> 30;
      const unsigned doubled = x >= uint64_t{2} << 30 ? 1 : 0;
      x >>= doubled;
      table[i] = table[i] << 1 | doubled;
    }
  }
  table[256] = 1u << kLog2Fraction;
  return table;
}
inline constexpr std::array<uint32_t, 257> kLog2Table = make_log2_table();

// 2^16 log2(x), to about 4 units; 0 for x = 0.
[[nodiscard]] constexpr uint32_t log2_fixed(uint32_t x) {
  if (x == 0) return 0;
  const auto whole = static_cast<uint32_t>(std::bit_width(x)) - 1;
  const uint32_t fraction = x << (31 - whole) & 0x7FFF'FFFF;  // 31 bits
  const uint32_t place = fraction >> 23;
  const uint64_t between = fraction & 0x7F'FFFF;
  const uint32_t low = kLog2Table[place];
  const uint32_t step = kLog2Table[place + 1] - low;
  return (whole << kLog2Fraction) + low + static_cast<uint32_t>(step * between >> 23);
}

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_LOG2_H_
