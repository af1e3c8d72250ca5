// Which finedelta this is.
#ifndef FINEDELTA_VERSION_H_
#define FINEDELTA_VERSION_H_

#include <string_view>

namespace finedelta {

// "MAJOR.MINOR.PATCH" of the library (semantic versioning). Archives carry a version of their own.
[[nodiscard]] std::string_view version();

}  // namespace finedelta

#endif  // FINEDELTA_VERSION_H_
