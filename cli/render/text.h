// Text from outside, made fit for a terminal.
#ifndef FINEDELTA_CLI_RENDER_TEXT_H_
#define FINEDELTA_CLI_RENDER_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace finedelta::cli {

// `text` with control characters (C0, DEL, C1) and bytes that are not UTF-8 written as \xNN.
[[nodiscard]] std::string escaped(std::string_view text);

// `escaped` in single quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

// Code points in UTF-8 `text`: its width where every character takes one column.
[[nodiscard]] size_t text_width(std::string_view text);

// `text` cut to `width` columns, never inside a character.
[[nodiscard]] std::string_view cut(std::string_view text, size_t width);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_TEXT_H_
