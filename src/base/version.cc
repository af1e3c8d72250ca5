#include "finedelta/version.h"

namespace finedelta {

std::string_view version() { return FINEDELTA_VERSION; }

}  // namespace finedelta
