// What the benchmark compares: ways to store a fine-tune, ours and others'.
#ifndef FINEDELTA_BENCH_CODERS_CODEC_H_
#define FINEDELTA_BENCH_CODERS_CODEC_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "finedelta/result.h"
#include "pair.h"
#include "sink.h"

namespace finedelta::bench {

// One thread; whatever memory it needs is its own and kept from call to call.
class Codec {
 public:
  virtual ~Codec() = default;

  // Appends all that `decode` needs besides the base and the parts: sizes of frames count too.
  virtual void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) = 0;

  // Fills `value`. An error where `stored` is not what `encode` wrote, as far as it is noticed.
  virtual Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                        MutableBytes value) = 0;
};

struct CodecEntry {
  std::string name;
  std::string what;  // a few words
  // Only there to show what the machine can do: what it stores means nothing.
  bool yardstick = false;
  // Measured unless others are named.
  bool usual = true;
  std::function<std::unique_ptr<Codec>()> make;
};

// The one that speeds are compared with.
inline constexpr std::string_view kReferenceCodec = "bitx";

// All of them, ours first.
[[nodiscard]] std::vector<CodecEntry> all_codecs();

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_CODEC_H_
