// The same pseudo-random bytes everywhere, from a seed.
#ifndef FINEDELTA_TESTS_UNIT_PSEUDO_RANDOM_H_
#define FINEDELTA_TESTS_UNIT_PSEUDO_RANDOM_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace finedelta {

// 64 bits at a time of std::mt19937_64, whose output the C++ standard fixes; little-endian.
inline std::vector<std::byte> pseudo_random_bytes(size_t size, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t value = engine();
    std::memcpy(bytes.data() + i, &value, std::min<size_t>(8, size - i));
  }
  return bytes;
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_UNIT_PSEUDO_RANDOM_H_
