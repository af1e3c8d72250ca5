#include "signals.h"

#include <csignal>

namespace finedelta::cli {
namespace {

Cancellation cancellation;
std::atomic<int> last_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);
bool pipe_was_ignored = false;

void request_stop(int signal) {
  last_signal.store(signal, std::memory_order_relaxed);
  cancellation.cancel();
}

void stop_on(int signal) {
  struct sigaction before{};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  stop_on(SIGINT);
  stop_on(SIGTERM);
  std::signal(SIGXFSZ, SIG_IGN);
  pipe_was_ignored = std::signal(SIGPIPE, SIG_IGN) == SIG_IGN;
}

const Cancellation& signal_cancellation() { return cancellation; }

int stop_signal() { return last_signal.load(std::memory_order_relaxed); }

void die_by_closed_pipe() {
  if (pipe_was_ignored) return;
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
}

}  // namespace finedelta::cli
