// The border where exceptions end: the library's functions return errors instead.
#ifndef FINEDELTA_BASE_GUARD_H_
#define FINEDELTA_BASE_GUARD_H_

#include <exception>
#include <new>

#include "base/error.h"

namespace finedelta {

// What `function` returns, a Status or Result; what it throws becomes kFailure.
template <typename Function>
auto guarded(Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kFailure, "out of memory");
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kFailure, "an unexpected error: {}", exception.what());
  }
}

}  // namespace finedelta

#endif  // FINEDELTA_BASE_GUARD_H_
