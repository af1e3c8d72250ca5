// The bases and the fine-tune among the arguments of `pack` and `plan`.
#ifndef FINEDELTA_CLI_MODELS_H_
#define FINEDELTA_CLI_MODELS_H_

#include <string>
#include <vector>

#include "finedelta/result.h"
#include "verb.h"

namespace finedelta::cli {

struct Models {
  std::vector<std::string> bases;
  std::string fine_tune;
};

// The last positional is the fine-tune. kUsage where --no-base and their number disagree.
Result<Models> read_models(const Verb& verb, const Arguments& arguments);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_MODELS_H_
