// How much memory a piece of work takes.
#ifndef FINEDELTA_BENCH_CODERS_MEMORY_H_
#define FINEDELTA_BENCH_CODERS_MEMORY_H_

#include <cstdint>
#include <functional>
#include <optional>

namespace finedelta::bench {

// The most resident memory of the process during `work` beyond that before it, in bytes, to a few
// pages. Nothing where the kernel does not tell.
std::optional<uint64_t> peak_beyond(const std::function<void()>& work);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_MEMORY_H_
