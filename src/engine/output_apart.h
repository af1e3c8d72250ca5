// Inputs and outputs that must not lie in one another.
#ifndef FINEDELTA_ENGINE_OUTPUT_APART_H_
#define FINEDELTA_ENGINE_OUTPUT_APART_H_

#include <string>
#include <vector>

#include "finedelta/result.h"

namespace finedelta {

// kUsage when `output` lies inside (or is) one of `inputs`, or one of them inside `output`.
Status check_output_apart(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_OUTPUT_APART_H_
