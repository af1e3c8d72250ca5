#include "quasi_static_model.h"

#include <algorithm>

namespace finedelta::bench {

QuasiStaticModel::QuasiStaticModel(unsigned symbols) : symbols_(symbols) {
  for (unsigned i = 0; i < symbols_; ++i) counts_[i] = kTotal / symbols_;
  counts_[0] += kTotal % symbols_;
  rebuild();
}

void QuasiStaticModel::rebuild() {
  uint32_t halves = 0;
  for (unsigned i = 0; i < symbols_; ++i) {
    begins_[i + 1] = begins_[i] + counts_[i];
    counts_[i] = counts_[i] / 2 | 1;
    halves += counts_[i];
  }
  unsigned symbol = 0;
  for (uint32_t i = 0; i < first_.size(); ++i) {
    while (begins_[symbol + 1] <= i << kSearchShift) ++symbol;
    first_[i] = static_cast<uint8_t>(symbol);
  }
  left_ = interval_;
  increment_ = (kTotal - halves) / interval_;
  larger_ = (kTotal - halves) % interval_;
  interval_ = std::min(2 * interval_, kLongestInterval);
}

}  // namespace finedelta::bench
