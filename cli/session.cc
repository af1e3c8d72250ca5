#include "session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "render/stream.h"
#include "render/text.h"

namespace finedelta::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool on_terminal() { return isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"; }

// https://no-color.org: any value but the empty one switches colour off.
bool with_colour() { return environment("NO_COLOR").empty() && on_terminal(); }

// One line on standard error: "LABEL: TEXT". What can't be told there can't be told at all, so a
// failure to write is let be.
void print_labelled(std::string_view label, std::string_view colour, std::string_view text) {
  const std::string shown =
      colour.empty() ? fmt::format("{}:", label) : fmt::format("\x1b[{}m{}:\x1b[0m", colour, label);
  (void)write_all(STDERR_FILENO, fmt::format("{} {}\n", shown, escaped(text)));
}

}  // namespace

void print_error(std::string_view message, bool plain) {
  print_labelled("finedelta", plain || !with_colour() ? "" : "1;31", message);
}

Session::Session(const Arguments& arguments, const Cancellation& cancellation)
    : arguments_(arguments),
      cancellation_(cancellation),
      start_(std::chrono::steady_clock::now()) {}

void Session::begin(std::string_view doing, std::string_view what, Options& options) {
  options.threads = arguments_.threads;
  options.memory = arguments_.memory;
  options.cancel = &cancellation_;
  options.note = [this](std::string_view text) { note(text); };
  if (arguments_.quiet || arguments_.json) return;
  if (on_terminal()) {
    line_.emplace(STDERR_FILENO, std::string(doing));
    options.progress = [this](const Progress& now) { progress(now); };
  } else {
    (void)write_all(STDERR_FILENO, fmt::format("{} {}\n", doing, what));
  }
}

void Session::progress(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  line_->show(progress);
}

void Session::note(std::string_view text) {
  const std::lock_guard lock(mutex_);
  notes_.emplace_back(text);
  if (arguments_.quiet) return;
  if (line_.has_value()) line_->clear();
  print_labelled("note", arguments_.json || !with_colour() ? "" : "33", text);
}

void Session::clear_progress() {
  const std::lock_guard lock(mutex_);
  if (line_.has_value()) line_->clear();
}

void Session::close(std::string_view closing) const {
  if (closing.empty() || arguments_.quiet || arguments_.json) return;
  (void)write_all(STDERR_FILENO, fmt::format("{}\n", closing));
}

double Session::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace finedelta::cli
