// Zstandard frames as the archive uses them: one frame, a length that is known beforehand, a window
// of at most 8 MiB.
#ifndef FINEDELTA_BASE_ZSTD_H_
#define FINEDELTA_BASE_ZSTD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"

namespace finedelta {

inline constexpr int kZstdWindowLog = 23;

// The largest frame that `size` bytes can become.
[[nodiscard]] uint64_t zstd_bound(uint64_t size);

// Not thread-safe: one for each thread. Memory follows level and size of the largest input so far.
class ZstdEncoder {
 public:
  ZstdEncoder();
  // Appends one frame to `out`. `prefix` (may be empty) is content that the decoder has too.
  // The bytes of the frame depend on nothing but the arguments and the version of zstd.
  void compress(Bytes data, int level, Bytes prefix, std::vector<std::byte>& out);
  // The size of that frame.
  [[nodiscard]] uint64_t compressed_size(Bytes data, int level);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  uint64_t compress_to(Bytes data, int level, Bytes prefix, MutableBytes out);
  std::unique_ptr<void, Free> context_;
  std::vector<std::byte> trial_;
};

// Not thread-safe: one for each thread.
class ZstdDecoder {
 public:
  ZstdDecoder();
  // Fills `out` from exactly one frame; kDamaged (a reason, without names) if `frame` is anything
  // else than one frame that decompresses to out.size() bytes.
  Status decompress(Bytes frame, Bytes prefix, MutableBytes out);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_ZSTD_H_
