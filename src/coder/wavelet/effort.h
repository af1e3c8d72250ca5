// What the wavelet coder does at each level.
#ifndef FINEDELTA_CODER_WAVELET_EFFORT_H_
#define FINEDELTA_CODER_WAVELET_EFFORT_H_

#include <cstddef>
#include <cstdint>

#include "coder/wavelet/model.h"
#include "numeric/log2.h"

namespace finedelta::wavelet {

// How much work a level does. What else levels do: coder/registry.cc, engine/low_rank_search.h.
struct Effort {
  unsigned contexts = kMostContexts;  // at most
  bool classes = true;                // of blocks
  // Units that decide about a chunk: at most so many, and of a smaller chunk one part of so many.
  size_t sample = 16384;
  size_t sampled_part = 8;
  // Contexts that save less than one part of so many, or so much for each symbol (in units of 2^-16
  // bits), are left out.
  uint64_t worthwhile = 512;
  uint64_t small_cost = (1u << kLog2Fraction) / 128;
};
[[nodiscard]] Effort effort_of(int level);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_EFFORT_H_
