// Zstandard as the references use it: plain levels, each frame behind its size.
#ifndef FINEDELTA_BENCH_CODERS_ZSTD_FRAMES_H_
#define FINEDELTA_BENCH_CODERS_ZSTD_FRAMES_H_

#include <memory>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "sink.h"

namespace finedelta::bench {

class ZstdFrames {
 public:
  ZstdFrames();

  void append(Bytes data, int level, Sink& out);
  // Fills `out` from the next frame.
  Status read(ByteReader& reader, MutableBytes out);

  // The same with content that the decoder has too, as `zstd --patch-from` does: a window over all
  // of it, and the matcher for long distances.
  void append_patch(Bytes data, Bytes prefix, int level, Sink& out);
  Status read_patch(ByteReader& reader, Bytes prefix, MutableBytes out);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  struct FreeDecoder {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> encoder_;
  std::unique_ptr<void, FreeDecoder> decoder_;
};

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_ZSTD_FRAMES_H_
