#include "memory.h"

#include <malloc.h>

#include <fstream>
#include <string>
#include <string_view>

namespace finedelta::bench {

namespace {

// A size from /proc/self/status, which has lines such as "VmHWM:     1234 kB".
std::optional<uint64_t> status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kib = 0;
    if (word == key && status >> kib) return kib * 1024;
  }
  return std::nullopt;
}

// Makes the peak so far what is resident now.
bool reset_peak() {
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5" << std::flush;
  return clear.good();
}

}  // namespace

std::optional<uint64_t> peak_beyond(const std::function<void()>& work) {
  malloc_trim(0);  // what others freed would be taken again without a trace
  const bool reset = reset_peak();
  const auto before = status_bytes("VmRSS:");
  work();
  const auto peak = status_bytes("VmHWM:");
  if (!reset || !before || !peak) return std::nullopt;
  return *peak > *before ? *peak - *before : 0;
}

}  // namespace finedelta::bench
