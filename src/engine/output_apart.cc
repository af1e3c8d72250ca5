#include "engine/output_apart.h"

#include "base/error.h"
#include "base/output_target.h"

namespace finedelta {

Status check_output_apart(const std::string& output, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    FINEDELTA_ASSIGN(const bool inside, contains(input, output));
    if (inside) {
      return fail(ErrorCode::kUsage, "the output {} lies inside the input {}", quote(output),
                  quote(input));
    }
    FINEDELTA_ASSIGN(const bool around, contains(output, input));
    if (around) {
      return fail(ErrorCode::kUsage, "the output {} contains the input {}", quote(output),
                  quote(input));
    }
  }
  return {};
}

}  // namespace finedelta
