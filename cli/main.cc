#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

#include "json.h"
#include "parse.h"
#include "render/stream.h"
#include "session.h"
#include "signals.h"
#include "validate.h"

namespace finedelta::cli {
namespace {

int exit_code(ErrorCode code) {
  if (code == ErrorCode::kCancelled && stop_signal() != 0) return 128 + stop_signal();
  return static_cast<int>(code);
}

// Standard output is data: what can't be written there is a failure.
int print_output(std::string_view text) {
  const int error_number = write_all(STDOUT_FILENO, text);
  if (error_number == 0) return 0;
  if (error_number == EPIPE) die_by_closed_pipe();
  print_error(fmt::format("cannot write to standard output: {}", std::strerror(error_number)),
              true);
  return static_cast<int>(ErrorCode::kFailure);
}

int report_error(const Error& error, bool json) {
  const int code = exit_code(error.code);
  print_error(error.message, json);
  if (json) (void)write_all(STDOUT_FILENO, error_json(code, error.message) + "\n");
  return code;
}

int run_verb(const Verb& verb, const Arguments& arguments) {
  Session session(arguments, signal_cancellation());
  Result<Report> report = verb.run(arguments, session);
  session.clear_progress();
  if (!report.has_value()) return report_error(report.error(), arguments.json);
  if (arguments.json) report->json += '\n';
  const std::string& output = arguments.json ? report->json : report->text;
  if (const int code = print_output(output); code != 0) return code;
  session.close(report->closing);
  return report->code;
}

int run(int count, char** words) {
  open_standard_streams();
  const std::vector<std::string> arguments(words + std::min(count, 1), words + count);
  // Before any signal is ignored: another program would go on ignoring it.
  if (!arguments.empty() && arguments[0] == kValidateName) {
    return report_error(become_validate(arguments), wants_json(arguments));
  }
  install_signal_handlers();
  const Result<Request> request = parse(arguments);
  if (!request.has_value()) return report_error(request.error(), wants_json(arguments));
  if (request->verb == nullptr) return print_output(request->text);
  return run_verb(*request->verb, request->arguments);
}

}  // namespace
}  // namespace finedelta::cli

int main(int argc, char** argv) {
  try {
    return finedelta::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    finedelta::cli::print_error("out of memory", true);
  } catch (const std::exception& error) {
    finedelta::cli::print_error(error.what(), true);
  }
  return static_cast<int>(finedelta::ErrorCode::kFailure);
}
