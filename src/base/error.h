// Making and passing on errors.
#ifndef FINEDELTA_BASE_ERROR_H_
#define FINEDELTA_BASE_ERROR_H_

#include <fmt/format.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "finedelta/result.h"

namespace finedelta {

// An error whose message is formatted by fmt.
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format,
                                          Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// An error from errno: "cannot ACTION 'PATH': REASON". ENOSPC, EDQUOT and EFBIG become kNoSpace.
[[nodiscard]] std::unexpected<Error> fail_errno(int error_number, std::string_view action,
                                                std::string_view path);

// `text` in single quotes, fit for a terminal: control characters and bytes that are not UTF-8
// are written as \xNN, and anything longer than 200 bytes is shortened. Every name that comes
// from outside goes through this before it enters a message.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace finedelta

#define FINEDELTA_CONCAT_INNER(a, b) a##b
#define FINEDELTA_CONCAT(a, b) FINEDELTA_CONCAT_INNER(a, b)

#define FINEDELTA_CHECK_INNER(result, expression)                     \
  do {                                                                \
    if (auto result = (expression); !result.has_value()) [[unlikely]] \
      return std::unexpected(std::move(result).error());              \
  } while (false)

// Returns from the enclosing function when `expression`, a Status or Result, holds an error. The
// counter keeps the name apart from that of a check in a lambda within `expression`.
#define FINEDELTA_CHECK(expression) \
  FINEDELTA_CHECK_INNER(FINEDELTA_CONCAT(checked_, __COUNTER__), expression)

#define FINEDELTA_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                              \
  if (!result.has_value()) [[unlikely]]                    \
    return std::unexpected(std::move(result).error());     \
  target = std::move(result).value()

// FINEDELTA_ASSIGN(auto x, f()): x becomes the value of f(), or its error is returned.
#define FINEDELTA_ASSIGN(target, expression) \
  FINEDELTA_ASSIGN_INNER(FINEDELTA_CONCAT(result_, __COUNTER__), target, expression)

#endif  // FINEDELTA_BASE_ERROR_H_
