// Times the codecs on a workload, in turn.
#ifndef FINEDELTA_BENCH_CODERS_MEASURE_H_
#define FINEDELTA_BENCH_CODERS_MEASURE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codec.h"
#include "pair.h"

namespace finedelta::bench {

struct Measurement {
  std::string name;
  bool yardstick = false;
  uint64_t stored = 0;                 // bytes, of all copies
  std::vector<double> encode_seconds;  // of CPU time; one for each round, all copies
  std::vector<double> decode_seconds;
  bool exact = true;  // every byte of every round was the fine-tune's
  std::string error;  // what `decode` said, where it failed
  // Memory for the first copy besides the pair, the result and what is stored; nothing where the
  // kernel does not tell.
  std::optional<uint64_t> extra_bytes;
};

// Every codec encodes and decodes all of the workload, one after the other, and that `rounds`
// times: a machine that slows down for a while slows all of them. What was decoded is compared with
// the fine-tune each time; the buffer holds the complement of every byte before.
[[nodiscard]] std::vector<Measurement> measure(const Workload& workload,
                                               std::span<const CodecEntry> codecs, int rounds);

// The middle value, or the mean of the two in the middle. `values` is not empty.
[[nodiscard]] double median(std::vector<double> values);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_MEASURE_H_
