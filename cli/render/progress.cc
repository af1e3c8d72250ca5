#include "render/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "render/stream.h"
#include "render/text.h"
#include "render/units.h"

namespace finedelta::cli {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

size_t terminal_width(int terminal) {
  winsize size{};
  if (ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string progress_line(std::string_view doing, const Progress& progress, double seconds,
                          size_t width) {
  const uint64_t done = std::min(progress.done, progress.total);
  const double share =
      progress.total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(progress.total);
  std::string line = fmt::format("{} {:3} %  {} of {}", doing, static_cast<int>(share * 100),
                                 size_text(done), size_text(progress.total));
  // The first moments say nothing about the rate.
  if (done > 0 && seconds >= 0.5) {
    line += fmt::format("  {}  {} left", rate_text(done, seconds),
                        duration_text(seconds / share - seconds));
  }
  return std::string(cut(line, width));
}

ProgressLine::ProgressLine(int terminal, std::string doing)
    : terminal_(terminal),
      doing_(std::move(doing)),
      start_(Clock::now()),
      shown_(start_ - kInterval) {}

void ProgressLine::show(const Progress& progress) {
  const Clock::time_point now = Clock::now();
  if (now - shown_ < kInterval) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  // A line that fills the last column would make some terminals move on to the next.
  std::string line = progress_line(doing_, progress, seconds, terminal_width(terminal_) - 1);
  const size_t line_width = text_width(line);
  if (line_width < shown_width_) line.append(shown_width_ - line_width, ' ');
  shown_width_ = line_width;
  (void)write_all(terminal_, "\r" + line);
}

void ProgressLine::clear() {
  if (shown_width_ == 0) return;
  (void)write_all(terminal_, "\r" + std::string(shown_width_, ' ') + "\r");
  shown_width_ = 0;
  shown_ = start_ - kInterval;
}

}  // namespace finedelta::cli
