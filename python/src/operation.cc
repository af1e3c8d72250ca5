#include "operation.h"

#include <chrono>
#include <thread>
#include <utility>

namespace finedelta::python {

namespace {

// How often signals and progress are looked at.
constexpr std::chrono::milliseconds kInterval{50};

}  // namespace

void raise(const Error& error) {
  const nb::object exception =
      nb::module_::import_("finedelta.errors")
          .attr("error_of")(static_cast<int>(error.code), text(error.message));
  PyErr_SetObject(exception.type().ptr(), exception.ptr());
  throw nb::python_error();
}

Operation::Operation(Options& options, nb::object progress) : callback_(std::move(progress)) {
  options.cancel = &cancellation_;
  options.note = [this](std::string_view note) {
    const std::scoped_lock lock(mutex_);
    notes_.emplace_back(note);
  };
  if (callback_.is_none()) return;
  options.progress = [this](const Progress& progress) {
    const std::scoped_lock lock(mutex_);
    progress_ = progress;
  };
}

void Operation::run(const std::function<void()>& work) {
  std::thread worker([&] {
    work();
    const std::scoped_lock lock(mutex_);
    done_ = true;
    changed_.notify_one();
  });
  try {
    while (!done()) {
      wait_a_little();
      report_progress();
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
  } catch (...) {
    cancellation_.cancel();
    const nb::gil_scoped_release release;
    worker.join();
    throw;
  }
  worker.join();
  report_progress();
}

nb::tuple Operation::notes() const {
  nb::list list;
  for (const std::string& note : notes_) list.append(text(note));
  return nb::tuple(list);
}

void Operation::wait_a_little() {
  const nb::gil_scoped_release release;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kInterval, [this] { return done_; });
}

bool Operation::done() {
  const std::scoped_lock lock(mutex_);
  return done_;
}

void Operation::report_progress() {
  std::optional<Progress> progress;
  {
    const std::scoped_lock lock(mutex_);
    progress = std::exchange(progress_, std::nullopt);
  }
  if (progress) callback_(progress->done, progress->total);
}

}  // namespace finedelta::python
