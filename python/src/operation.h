// A long call of the library as Python expects it: without the GIL, with progress, and stopped by
// Ctrl-C.
#ifndef FINEDELTA_PYTHON_OPERATION_H_
#define FINEDELTA_PYTHON_OPERATION_H_

#include <nanobind/nanobind.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "convert.h"
#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta::python {

namespace nb = nanobind;

// Raises the exception of finedelta.errors for `error`.
[[noreturn]] void raise(const Error& error);

// Runs work on a thread of its own while the calling one, which holds the GIL, passes progress and
// signals on. So Python code runs on the thread that Python expects it on, and what it raises stops
// the work.
class Operation {
 public:
  // `progress` is None or called with (done, total) in bytes. The options refer to the operation.
  Operation(Options& options, nb::object progress);

  // Returns when `work` has; raises what progress or a signal handler raised.
  void run(const std::function<void()>& work);

  // What the library had to say, in order.
  [[nodiscard]] nb::tuple notes() const;

 private:
  void wait_a_little();
  void report_progress();
  [[nodiscard]] bool done();

  nb::object callback_;
  Cancellation cancellation_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::optional<Progress> progress_;  // not yet passed on
  std::vector<std::string> notes_;
};

// Runs call() -> Result<Report>; what is returned has the report's fields and "notes". An exception
// of Python's that came too late to stop the call has a note that says so.
template <typename Call>
Fields run_operation(Options& options, const nb::object& progress, Call call) {
  Operation operation(options, progress);
  std::optional<std::invoke_result_t<Call&>> result;
  try {
    operation.run([&] { result = call(); });
  } catch (nb::python_error& error) {
    if (result && *result)
      error.value().attr("add_note")("finedelta had done what it was asked to");
    throw;
  }
  if (!result->has_value()) raise(result->error());
  Fields report = to_dict(**result);
  report["notes"] = operation.notes();
  return report;
}

}  // namespace finedelta::python

#endif  // FINEDELTA_PYTHON_OPERATION_H_
