// Code that a test runs in a child process: what changes the process, or what is killed.
#ifndef FINEDELTA_TESTS_SUPPORT_CHILD_PROCESS_H_
#define FINEDELTA_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <stdexcept>

namespace finedelta {

// Starts a child that runs `function` and ends, successfully unless an expectation in it failed.
template <typename Function>
pid_t start_child(Function function) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    function();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  return child;
}

template <typename Function>
bool succeeds_in_child(Function function) {
  int status = -1;
  waitpid(start_child(function), &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// From now on, the system call `number` fails in this process with `error_number`, if its fifth
// argument (the flags of renameat2) is not 0 or `always` is set. False where that can't be had.
inline bool deny_system_call(unsigned number, unsigned error_number, bool always) {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + 4 * sizeof(__u64)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, static_cast<__u8>(always ? 0 : 1), 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error_number),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)),
                          const_cast<sock_filter*>(program)};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_CHILD_PROCESS_H_
