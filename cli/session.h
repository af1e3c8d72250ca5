// One run of a verb: its messages on standard error and what it hands to the library.
#ifndef FINEDELTA_CLI_SESSION_H_
#define FINEDELTA_CLI_SESSION_H_

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finedelta/options.h"
#include "render/progress.h"
#include "verb.h"

namespace finedelta::cli {

// Progress and closing line are left out with --quiet and with --json, notes with --quiet. On a
// terminal progress is one line that is rewritten, elsewhere one line at the start.
class Session {
 public:
  // `cancellation` must outlive the session.
  Session(const Arguments& arguments, const Cancellation& cancellation);

  // Says what is being done ("packing", "'x'") and fills in what every operation takes. The
  // options refer to the session.
  void begin(std::string_view doing, std::string_view what, Options& options);

  void clear_progress();

  // Says what was done.
  void close(std::string_view closing) const;

  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] double seconds() const;  // since the session began

 private:
  void progress(const Progress& progress);
  void note(std::string_view text);

  const Arguments& arguments_;
  const Cancellation& cancellation_;
  std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;  // progress comes from worker threads
  std::optional<ProgressLine> line_;
  std::vector<std::string> notes_;
};

// "finedelta: MESSAGE" on standard error; `plain`: without colour even on a terminal.
void print_error(std::string_view message, bool plain);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_SESSION_H_
