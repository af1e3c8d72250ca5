// Signals: a polite stop, and no death by a full disk or a closed pipe.
#ifndef FINEDELTA_CLI_SIGNALS_H_
#define FINEDELTA_CLI_SIGNALS_H_

#include "finedelta/progress.h"

namespace finedelta::cli {

// SIGINT and SIGTERM ask the cancellation to stop; the second of a kind kills as by default. A
// signal that was ignored when the program started stays ignored. SIGXFSZ and SIGPIPE become
// errors of the call that caused them.
void install_signal_handlers();

// What the handlers set.
[[nodiscard]] const Cancellation& signal_cancellation();

// The last signal that asked to stop; 0: none did.
[[nodiscard]] int stop_signal();

// Dies by SIGPIPE, as a program does whose reader has gone; returns where SIGPIPE was ignored when
// the program started.
void die_by_closed_pipe();

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_SIGNALS_H_
