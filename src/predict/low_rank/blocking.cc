#include "predict/low_rank/blocking.h"

#include <Eigen/Core>

namespace finedelta {

void fix_product_blocks() {
  // Once: the initialiser of a static waits for other threads.
  [[maybe_unused]] static const bool fixed = [] {
    Eigen::setCpuCacheSizes(32 << 10, 1 << 20, 8 << 20);
    return true;
  }();
}

}  // namespace finedelta
