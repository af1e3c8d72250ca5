// Which model suits a chunk, and about how large the chunk then becomes.
#ifndef FINEDELTA_CODER_WAVELET_PLAN_H_
#define FINEDELTA_CODER_WAVELET_PLAN_H_

#include <cstdint>

#include "coder/wavelet/classes.h"
#include "coder/wavelet/histogram.h"
#include "coder/wavelet/model.h"

namespace finedelta::wavelet {

struct Scratch;  // scratch.h, which needs Plan

struct Plan {
  Model model;  // without symbol_top
  ClassLimits limits;
  uint64_t estimate = 0;  // bytes
  bool repeats = false;   // what matches earlier bytes may find something in it
};

// From a sample of these values; the estimate is for `units` like them. `prediction` is empty or as
// long as `value`, which is not empty.
Plan make_plan(FloatLayout layout, Bytes value, Bytes prediction, size_t units,
               const Effort& effort, Scratch& scratch);

// The highest leading bits of all values.
uint32_t find_symbol_top(const Model& model, FloatLayout layout, Bytes value);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_PLAN_H_
