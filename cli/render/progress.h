// The line on a terminal that tells how far an operation has come.
#ifndef FINEDELTA_CLI_RENDER_PROGRESS_H_
#define FINEDELTA_CLI_RENDER_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "finedelta/progress.h"

namespace finedelta::cli {

// "packing  42 %  1.23 GB of 2.94 GB  512 MB/s  3.3 s left", at most `width` columns.
[[nodiscard]] std::string progress_line(std::string_view doing, const Progress& progress,
                                        double seconds, size_t width);

// Rewrites one line of a terminal, at most ten times a second, with nothing but carriage returns
// and spaces. Not thread-safe.
class ProgressLine {
 public:
  ProgressLine(int terminal, std::string doing);

  void show(const Progress& progress);
  void clear();  // leaves the cursor at the start of an empty line

 private:
  using Clock = std::chrono::steady_clock;

  int terminal_;
  std::string doing_;
  Clock::time_point start_;
  Clock::time_point shown_;
  size_t shown_width_ = 0;  // columns in use; 0: the line is empty
};

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_PROGRESS_H_
