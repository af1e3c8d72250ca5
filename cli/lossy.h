// The options of lossy archives.
#ifndef FINEDELTA_CLI_LOSSY_H_
#define FINEDELTA_CLI_LOSSY_H_

#include <optional>

#include "finedelta/pack.h"
#include "verb.h"

namespace finedelta::cli {

inline constexpr Option kLossyOption{
    "--lossy", "", "store matrices inexactly; needs one of --bits, --size, --ratio and --max-error",
    &Arguments::lossy};
inline constexpr Option kBitsOption{"--bits", "N",
                                    "with --lossy: average bits per weight of the archive, as 0.5",
                                    &Arguments::bits_text};
inline constexpr Option kSizeOption{"--size", "SIZE", "with --lossy: size of the archive, as 50MB",
                                    &Arguments::size_text};
inline constexpr Option kRatioOption{
    "--ratio", "N", "with --lossy: how many times smaller than the fine-tune, as 32",
    &Arguments::ratio_text};
inline constexpr Option kMaxErrorOption{
    "--max-error", "E",
    "with --lossy: the most that a matrix may differ, over what it differs from its base (the "
    "roots of the sums of squares), as 0.1",
    &Arguments::max_error_text};

inline constexpr Option kProgressiveOption{
    "--progressive", "",
    "with --lossy: add a second layer that makes it exact; the target is that of the first one",
    &Arguments::progressive};

// None: exact. An error where the options don't fit together or are no numbers.
Result<std::optional<LossyTarget>> read_lossy(const Verb& verb, const Arguments& arguments);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_LOSSY_H_
