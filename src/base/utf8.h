// Strict UTF-8.
#ifndef FINEDELTA_BASE_UTF8_H_
#define FINEDELTA_BASE_UTF8_H_

#include <cstddef>
#include <string_view>

namespace finedelta {

// The length in bytes (1 to 4) of the well-formed UTF-8 sequence (Unicode 15, table 3-7: no
// overlong forms, no surrogates) that `text` starts with, or 0 where there is none.
[[nodiscard]] size_t utf8_sequence_length(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_UTF8_H_
