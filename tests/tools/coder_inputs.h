// What fuzz_coders can start from.
#ifndef FINEDELTA_TESTS_TOOLS_CODER_INPUTS_H_
#define FINEDELTA_TESTS_TOOLS_CODER_INPUTS_H_

#include <map>
#include <string>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// `stored` bytes of so many units as an input.
[[nodiscard]] std::string coder_input(DType dtype, size_t units, Bytes stored);

// Sound chunks of every coder and several types: inputs by name.
[[nodiscard]] std::map<std::string, std::string> sound_coder_inputs();

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_TOOLS_CODER_INPUTS_H_
