// How a fuzz target says that what it tests broke a promise.
#ifndef FINEDELTA_FUZZ_CHECK_H_
#define FINEDELTA_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>

// Ends the process where `condition` does not hold, in every build type.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

#endif  // FINEDELTA_FUZZ_CHECK_H_
