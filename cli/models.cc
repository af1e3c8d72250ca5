#include "models.h"

namespace finedelta::cli {

Result<Models> read_models(const Verb& verb, const Arguments& arguments) {
  const std::vector<std::string>& given = arguments.positionals;
  if (given.empty()) {
    return usage_error(verb, "name a base and a fine-tune");
  }
  if (given.size() == 1 && !arguments.no_base) {
    return usage_error(verb,
                       "one model is not enough: name a base before the fine-tune, or give "
                       "--no-base to take the model alone");
  }
  if (given.size() > 1 && arguments.no_base) {
    return usage_error(verb, "--no-base takes one model alone, but several are named");
  }
  return Models{{given.begin(), given.end() - 1}, given.back()};
}

}  // namespace finedelta::cli
