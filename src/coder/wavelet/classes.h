// Blocks of units by how much happens in them: rows that training hardly touched, and the others.
#ifndef FINEDELTA_CODER_WAVELET_CLASSES_H_
#define FINEDELTA_CODER_WAVELET_CLASSES_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "coder/wavelet/model.h"

namespace finedelta::wavelet {

// A block's activity is the sum of its symbols; its class is the number of limits that it is above.
struct ClassLimits {
  uint8_t log2 = 0;  // of the number of classes
  std::array<uint16_t, (1 << kMostClassLog2) - 1> limit{};
};

// For each block of `units` symbols its activity; the last one counts as if it were whole.
void find_activities(const uint8_t* symbols, size_t units, std::vector<uint16_t>& activities);

// Limits that part these activities, sorted, into equal numbers of blocks, but that blocks in which
// nothing happens are a class of their own where there are many. log2 = 0 where they hardly differ.
ClassLimits find_limits(std::span<const uint16_t> sorted, uint8_t log2);

// The class of each block.
void find_classes(std::span<const uint16_t> activities, const ClassLimits& limits,
                  std::vector<uint8_t>& classes);

// Makes streams of contexts: adds class * contexts to each, which is below `contexts`.
void add_classes(std::span<const uint8_t> classes, unsigned contexts, size_t units,
                 uint8_t* of_unit);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_CLASSES_H_
