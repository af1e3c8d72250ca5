// What pack would do, without doing it.
#ifndef FINEDELTA_PLAN_H_
#define FINEDELTA_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct PlanOptions : Options {
  bool all = false;           // keep .git/ and .cache/huggingface/ too
  int level = kDefaultLevel;  // as of PackOptions
};

struct PlannedTensor {
  std::string name;
  std::string shard;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
  // As in TensorSummary, but that bases are counted as they were given.
  std::string match;
  std::string base_tensor;
  uint64_t base = 0;
  std::string second_base_tensor;
  uint64_t second_base = 0;
  std::string predictor;
  uint64_t estimated_bytes = 0;  // in the archive, from a sample of its chunks
};

struct Plan {
  uint64_t input_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t estimated_bytes = 0;    // of the archive
  std::vector<std::string> bases;  // where the bases were found
  std::vector<PlannedTensor> tensors;
};

// Matches `fine_tune` with `bases` and estimates the archive's size from samples. Writes nothing.
// Errors as for `pack`. Several calls may run at once.
Result<Plan> plan(const std::vector<std::string>& bases, const std::string& fine_tune,
                  const PlanOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_PLAN_H_
