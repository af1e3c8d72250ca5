// F32 bit patterns on which conversions tend to go wrong.
#ifndef FINEDELTA_TESTS_UNIT_FLOAT_SAMPLES_H_
#define FINEDELTA_TESTS_UNIT_FLOAT_SAMPLES_H_

#include <cstdint>
#include <random>
#include <vector>

namespace finedelta {

// For both signs and every exponent: mantissas at, just under and just over each bit, all ones
// above each bit (with and without the bit below, so ties of every width round both ways), zero and
// all ones; then 2^22 pseudo-random patterns.
inline const std::vector<uint32_t>& float_samples() {
  static const std::vector<uint32_t> samples = [] {
    std::vector<uint32_t> mantissas = {0, 0x7F'FFFF};
    for (uint32_t bit = 0; bit < 23; ++bit) {
      const uint32_t one = 1u << bit;
      const uint32_t ones_above = 0x7F'FFFF & ~(2 * one - 1);
      for (const uint32_t center : {one, one | 2 * one, ones_above, ones_above | one}) {
        for (const uint32_t near : {center - 1, center, center + 1}) {
          mantissas.push_back(near & 0x7F'FFFF);
        }
      }
    }
    std::vector<uint32_t> result;
    for (uint32_t sign_and_exponent = 0; sign_and_exponent < 512; ++sign_and_exponent) {
      for (const uint32_t mantissa : mantissas)
        result.push_back(sign_and_exponent << 23 | mantissa);
    }
    std::mt19937 engine(5);
    for (size_t i = 0; i < size_t{1} << 22; ++i) result.push_back(static_cast<uint32_t>(engine()));
    return result;
  }();
  return samples;
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_UNIT_FLOAT_SAMPLES_H_
