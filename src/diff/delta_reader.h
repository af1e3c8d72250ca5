// What numbers of a fine-tune are more than the base's.
#ifndef FINEDELTA_DIFF_DELTA_READER_H_
#define FINEDELTA_DIFF_DELTA_READER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "diff/tensor_pairs.h"

namespace finedelta {

// Not thread-safe.
class DeltaReader {
 public:
  // Of tensors of type F16, BF16 or F32. `pair` and `cancel` (may be null) must stay.
  DeltaReader(const DiffPair& pair, float scale, const Cancellation* cancel)
      : pair_(pair), scale_(scale), cancel_(cancel) {}

  // Fills `to` with the differences of elements from `first` on, times `scale`. Those that are not
  // finite, or over 1e15, are 0. kCancelled, and the errors of reading.
  Status read(uint64_t first, std::span<float> to);

 private:
  Status read_floats(const StoredTensor& from, uint64_t first, std::span<float> to);

  const DiffPair& pair_;
  float scale_;
  const Cancellation* cancel_;
  std::vector<std::byte> bytes_;
  std::vector<float> base_;
};

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_DELTA_READER_H_
