#include "coder/wavelet/effort.h"

namespace finedelta::wavelet {

Effort effort_of(int level) {
  if (level <= 1) return {.contexts = 4, .classes = false, .worthwhile = 64};
  if (level == 2) return {.contexts = 6, .classes = false, .worthwhile = 128};
  if (level < 5) return {};
  // A context costs hardly any time beside what these levels do: it need not save as much.
  return {.sample = 65536, .sampled_part = 1, .small_cost = (1u << kLog2Fraction) / 512};
}

}  // namespace finedelta::wavelet
