// What a chunk of coder 5 says: the units that differ from the prediction.
#ifndef FINEDELTA_CODER_SPARSE_UNITS_H_
#define FINEDELTA_CODER_SPARSE_UNITS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace finedelta {

struct SparseUnits {
  std::vector<uint32_t> places;       // rising
  std::vector<uint64_t> differences;  // of each: what is to be added, modulo the unit's width
  uint64_t hash = 0;                  // XXH3-64 of these units of the result
};

// What is written of the units that differ: from `analyze` to `encode`.
struct SparseNumbers {
  std::vector<uint64_t> gaps;
  std::vector<bool> negative;
  std::vector<uint64_t> far_gaps;
  std::vector<uint64_t> far_magnitudes;  // less 1
};

// The most memory that decoding takes for each unit of a chunk, in bytes: a place, a difference and
// a unit of the result.
inline constexpr uint64_t kSparseBytesPerUnit = 20;

}  // namespace finedelta

#endif  // FINEDELTA_CODER_SPARSE_UNITS_H_
