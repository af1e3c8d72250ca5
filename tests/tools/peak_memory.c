// peak_memory COMMAND [ARGUMENT...]: runs the command and prints its peak resident memory, in KiB,
// as the last line on stderr. Exits as the command did, or with 128 + N where signal N ended it.
//
// A process inherits its parent's peak at fork and keeps it over exec. So the figure is never below
// what this program itself takes, which is why it is small and linked statically.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kUsage = 2, kCannotRun = 127 };

int main(int argc, char** argv) {
  if (argc < 2) {
    fputs("usage: peak_memory COMMAND [ARGUMENT...]\n", stderr);
    return kUsage;
  }
  const pid_t child = fork();
  if (child < 0) {
    perror("fork");
    return kCannotRun;
  }
  if (child == 0) {
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    _exit(kCannotRun);
  }
  int status = 0;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) < 0) {
    perror("wait4");
    return kCannotRun;
  }
  fprintf(stderr, "%ld\n", usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
