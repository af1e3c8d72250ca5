// Which instruction set the kernels run on.
//
// Every kernel is compiled for several targets (Highway's names: SCALAR, SSSE3, SSE4, AVX2, AVX3,
// NEON, ...; EMU128 in place of SCALAR where Clang compiles) and runs on the best one that the CPU
// supports, unless a lower one is forced. The results are the same bits on all of them.
#ifndef FINEDELTA_KERNELS_TARGET_H_
#define FINEDELTA_KERNELS_TARGET_H_

#include <string>
#include <string_view>
#include <vector>

#include "finedelta/result.h"

namespace finedelta {

// The targets that this build has and this CPU supports, best first; never empty. Forcing one does
// not change the list. Thread-safe.
[[nodiscard]] std::vector<std::string> supported_targets();

// The target that kernels run on now. Thread-safe.
[[nodiscard]] std::string active_target();

// Kernels run on `name` (in any case) from now on; one that was not compiled for it takes the next
// lower target. kUsage when the name is not among supported_targets(). Not while a kernel runs.
Status force_target(std::string_view name);

// Forces the target that the environment variable FINEDELTA_TARGET names, if it is set and not
// empty. The first call decides and later ones repeat its answer; thread-safe. Every entry point of
// the library calls it before any kernel.
Status apply_forced_target();

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_TARGET_H_
