// A library to preload: makes calls that change files fail, or ends the process before one of them.
//
// FINEDELTA_KILL_BEFORE=N       SIGKILL before the Nth such call, counted from 1 over all threads
// FINEDELTA_FAIL=CALL:ERRNO     every call of that name fails with that number
//
// Calls that write data count like all others: what a process killed there leaves is the same at
// any of them, but their number depends on the program alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

// Whether the call shall fail; errno is set then.
static int fails(const char* call) {
  const char* const kill_before = getenv("FINEDELTA_KILL_BEFORE");
  if (kill_before && atomic_fetch_add(&calls, 1) + 1 == atol(kill_before)) raise(SIGKILL);
  const char* const fail = getenv("FINEDELTA_FAIL");
  const size_t length = strlen(call);
  if (!fail || strncmp(fail, call, length) != 0 || fail[length] != ':') return 0;
  errno = atoi(fail + length + 1);
  return 1;
}

// ISO C knows no functions among what dlsym finds.
#define NEXT(type, name) (__extension__(type) dlsym(RTLD_NEXT, name))

#define REPLACE(result, name, parameters, arguments)                    \
  result name parameters {                                              \
    if (fails(#name)) return -1;                                        \
    result(*const real) parameters = NEXT(result(*) parameters, #name); \
    return real arguments;                                              \
  }

REPLACE(int, mkdirat, (int at, const char* path, mode_t mode), (at, path, mode))
REPLACE(int, linkat, (int from, const char* old, int to, const char* new, int flags),
        (from, old, to, new, flags))
REPLACE(int, renameat, (int from, const char* old, int to, const char* new), (from, old, to, new))
REPLACE(int, renameat2, (int from, const char* old, int to, const char* new, unsigned flags),
        (from, old, to, new, flags))
REPLACE(int, unlinkat, (int at, const char* path, int flags), (at, path, flags))
REPLACE(int, ftruncate, (int fd, off_t size), (fd, size))
REPLACE(int, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
REPLACE(int, fchmod, (int fd, mode_t mode), (fd, mode))
REPLACE(int, flock, (int fd, int operation), (fd, operation))
REPLACE(int, fsync, (int fd), (fd))
REPLACE(ssize_t, pwrite, (int fd, const void* from, size_t size, off_t offset),
        (fd, from, size, offset))

// Opening counts where it may create.
int openat(int at, const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    if (fails("openat")) return -1;
  }
  int (*const real)(int, const char*, int, ...) =
      NEXT(int (*)(int, const char*, int, ...), "openat");
  return real(at, path, flags, mode);
}
