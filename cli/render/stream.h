// Writing to standard output and standard error, with nothing lost unseen.
#ifndef FINEDELTA_CLI_RENDER_STREAM_H_
#define FINEDELTA_CLI_RENDER_STREAM_H_

#include <string_view>

namespace finedelta::cli {

// Writes all of `text`; the errno of what went wrong, or 0.
[[nodiscard]] int write_all(int descriptor, std::string_view text);

// Opens those of the descriptors 0 to 2 that are closed, so that no file opened later becomes
// standard output by accident. Writing to a standard output that was closed stays an error.
void open_standard_streams();

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_STREAM_H_
