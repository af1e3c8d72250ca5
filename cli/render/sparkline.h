// Small bar charts in a line of text.
#ifndef FINEDELTA_CLI_RENDER_SPARKLINE_H_
#define FINEDELTA_CLI_RENDER_SPARKLINE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace finedelta::cli {

// One character for each count, its height in eighths of the largest one's, rounded up: the blocks
// U+2581 to U+2588 and a space for none, or the digits 1 to 8 and 0 for none.
[[nodiscard]] std::string sparkline(std::span<const uint64_t> counts, bool blocks);

// Whether a locale's name, as in LC_ALL ("de_DE.UTF-8"), asks for UTF-8.
[[nodiscard]] bool is_utf8_locale(std::string_view name);

// Whether the environment asks for it: the first of LC_ALL, LC_CTYPE and LANG that is not empty.
[[nodiscard]] bool is_utf8_environment();

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_SPARKLINE_H_
