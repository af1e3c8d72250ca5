// Factors that wait on disk until it is known how many of their directions are wanted.
#ifndef FINEDELTA_LORA_SPOOL_H_
#define FINEDELTA_LORA_SPOOL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/scratch_file.h"
#include "predict/low_rank/fit.h"

namespace finedelta::peft {

// Factors of a matrix, one vector after another: the singular directions, each side times the root
// of the singular values.
struct MatrixFactors {
  size_t rank = 0;
  std::vector<float> left;   // rank x rows
  std::vector<float> right;  // rank x columns
};

class Spool {
 public:
  // On the disk of `directory`.
  static Result<Spool> create(const std::string& directory);

  // The place of what was added, for `read`. One call at a time.
  Result<uint64_t> add(const SingularDirections& directions);

  // The first `rank` directions of what was added at `place`, as `stored` directions of a matrix of
  // this shape; zeros for those beyond `stored`. Any thread.
  [[nodiscard]] Result<MatrixFactors> read(uint64_t place, size_t stored, size_t rank,
                                           uint64_t rows, uint64_t columns) const;

 private:
  explicit Spool(std::unique_ptr<ScratchFile> file) : file_(std::move(file)) {}

  std::unique_ptr<ScratchFile> file_;
};

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_SPOOL_H_
