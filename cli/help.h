// The help texts.
#ifndef FINEDELTA_CLI_HELP_H_
#define FINEDELTA_CLI_HELP_H_

#include <string>

#include "verb.h"

namespace finedelta::cli {

[[nodiscard]] std::string program_help();
[[nodiscard]] std::string verb_help(const Verb& verb);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_HELP_H_
