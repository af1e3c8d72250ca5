// What a result says, in a form that tests compare whole.
#ifndef FINEDELTA_TESTS_SUPPORT_ERROR_TEXT_H_
#define FINEDELTA_TESTS_SUPPORT_ERROR_TEXT_H_

#include <string>

#include "finedelta/result.h"

namespace finedelta {

// "damaged: MESSAGE", the error's kind first; "no error" for a value.
template <typename T>
std::string error_text(const Result<T>& result) {
  if (result) return "no error";
  const std::string& message = result.error().message;
  switch (result.error().code) {
    case ErrorCode::kFailure:
      return "failure: " + message;
    case ErrorCode::kUsage:
      return "usage: " + message;
    case ErrorCode::kWrongBase:
      return "wrong base: " + message;
    case ErrorCode::kDamaged:
      return "damaged: " + message;
    case ErrorCode::kNoSpace:
      return "no space: " + message;
    case ErrorCode::kCancelled:
      return "cancelled: " + message;
  }
  return "unknown code: " + message;
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_ERROR_TEXT_H_
