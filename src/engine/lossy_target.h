// The size that a lossy archive shall have, and how near one comes.
#ifndef FINEDELTA_ENGINE_LOSSY_TARGET_H_
#define FINEDELTA_ENGINE_LOSSY_TARGET_H_

#include <cstdint>

#include "engine/lossy_fits.h"
#include "engine/lossy_search.h"
#include "engine/pack_plan.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"

namespace finedelta {

// kUsage for a value that is not a number above 0.
Status check_lossy_target(const LossyTarget& target);

class LossySize {
 public:
  LossySize(const Inputs& inputs, const PackPlan& plan, const std::vector<Match>& matches,
            const LossyFits& fits, const PackOptions& options);

  // The distortion to try next.
  Result<double> distortion();

  // Whether an archive of so many bytes, with this index, will do. Otherwise the next distortion
  // will be better; kUsage, with the size that can be had, where none will do.
  Result<bool> accept(const archive::Index& index, uint64_t bytes);

 private:
  Result<double> expected();
  Status try_pieces();
  void correct(uint64_t bytes);

  const Inputs& inputs_;
  const PackPlan& plan_;
  const LossyFits& fits_;
  const PackOptions& options_;
  LossySearch search_;
  uint64_t target_;  // bytes of the archive
  uint64_t aim_;     // at or a little below it, where what is expected is rough
  // Bytes beside those that `fits_` expects, below zero where it expects too many: estimated, then
  // as in the last archive.
  int64_t beside_;
  int attempts_ = 0;
  uint64_t least_over_ = 0;  // bytes of the smallest archive that was too large; 0: none was
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_TARGET_H_
