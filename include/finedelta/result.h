// How finedelta reports failure: values, never exceptions.
#ifndef FINEDELTA_RESULT_H_
#define FINEDELTA_RESULT_H_

#include <cstdint>
#include <expected>
#include <string>

namespace finedelta {

// The kinds of failure a caller may want to tell apart. The values are the exit codes of the
// command line, so that a script and a C++ caller speak of the same thing.
enum class ErrorCode : uint8_t {
  kFailure = 1,     // I/O failed, or a model or file was not found
  kUsage = 2,       // the request makes no sense: bad argument, target exists or can't be reached
  kWrongBase = 12,  // the base is not the one the archive was made from
  kDamaged = 13,    // an input is damaged, lying or unsafe to follow
  kNoSpace = 14,    // the output does not fit
  kCancelled = 130  // the caller asked to stop
};

struct Error {
  ErrorCode code;
  // One sentence: what, where, and what to do where that is known; UTF-8. It names options as the
  // command line does: --force is `force`, --memory is `memory`, --all is `all`.
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

}  // namespace finedelta

#endif  // FINEDELTA_RESULT_H_
