// Numbers as people read and write them.
#ifndef FINEDELTA_CLI_RENDER_UNITS_H_
#define FINEDELTA_CLI_RENDER_UNITS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finedelta::cli {

// "1 byte", "999 bytes", "1.00 kB", "14.2 GB": powers of 1000, three digits.
[[nodiscard]] std::string size_text(uint64_t bytes);

// "512 MB/s"; "-" where no time has passed.
[[nodiscard]] std::string rate_text(uint64_t bytes, double seconds);

// "0.4 s", "12 s", "3 min 05 s", "2 h 07 min"; "-" for what is no time (negative, not a number,
// over 100 days).
[[nodiscard]] std::string duration_text(double seconds);

// How many times smaller `stored` is than `original`: "2.79x"; "-" where `stored` is 0.
[[nodiscard]] std::string ratio_text(uint64_t original, uint64_t stored);

// "4.22"; "-" without elements.
[[nodiscard]] std::string bits_per_weight_text(uint64_t bytes, uint64_t elements);

// "1 file", "12 files".
[[nodiscard]] std::string count_text(uint64_t count, std::string_view noun);

// " LOSSY (not the fine-tune itself)" behind the verb of what was done with a lossy archive; else
// "".
[[nodiscard]] std::string_view lossy_text(bool lossy);

// Reads digits and a unit in any case: none or B (bytes), K M G T or KiB MiB GiB TiB (powers of
// 1024), KB MB GB TB (powers of 1000). Nothing for other text and for 2^64 or more.
[[nodiscard]] std::optional<uint64_t> parse_size(std::string_view text);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_UNITS_H_
