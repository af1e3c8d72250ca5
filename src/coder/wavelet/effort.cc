#include "coder/wavelet/effort.h"

namespace finedelta::wavelet {

Effort effort_of(int level) {
  if (level <= 1) return {.contexts = 4, .classes = false, .worthwhile = 64};
  if (level == 2) return {.contexts = 6, .classes = false, .worthwhile = 128};
  if (level < 5) return {};
  return {.sample = 65536};
}

}  // namespace finedelta::wavelet
