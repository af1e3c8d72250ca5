// Environment variables for one test.
#ifndef FINEDELTA_TESTS_SUPPORT_SCOPED_ENV_H_
#define FINEDELTA_TESTS_SUPPORT_SCOPED_ENV_H_

#include <cstdlib>
#include <optional>
#include <string>

namespace finedelta {

// Sets a variable (nullptr: removes it) and restores it when destroyed. Not for threads.
class ScopedEnv {
 public:
  ScopedEnv(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~ScopedEnv() { set(before_ ? before_->c_str() : nullptr); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      unsetenv(name_.c_str());
    } else {
      setenv(name_.c_str(), value, 1);
    }
  }

  std::string name_;
  std::optional<std::string> before_;
};

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_SCOPED_ENV_H_
