// Whether the files that an archive is made from stay what they are while it is made: each is read
// several times, by name, at moments far apart.
#ifndef FINEDELTA_ENGINE_INPUT_STAMPS_H_
#define FINEDELTA_ENGINE_INPUT_STAMPS_H_

#include <vector>

#include "base/file.h"
#include "engine/pack_plan.h"
#include "finedelta/result.h"

namespace finedelta {

class InputStamps {
 public:
  // To be taken before any content is read, but for the headers of shards.
  static Result<InputStamps> take(const Inputs& inputs);

  // kFailure when a file of the fine-tune, a shard of a base or a file of a base that `plan` uses
  // has changed since.
  Status check(const Inputs& inputs, const PackPlan& plan) const;

 private:
  using Stamps = std::vector<FileStamp>;  // in order of a checkpoint's entries

  static Result<Stamps> take(const Checkpoint& checkpoint);

  Stamps fine_tune_;
  std::vector<Stamps> bases_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_INPUT_STAMPS_H_
