// Rebuilding the files of an archive, in parallel and in bounded memory.
#ifndef FINEDELTA_ENGINE_REBUILD_H_
#define FINEDELTA_ENGINE_REBUILD_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "archive/archive.h"
#include "base/hash.h"
#include "engine/base_set.h"
#include "engine/decode.h"
#include "engine/resources.h"
#include "finedelta/result.h"

namespace finedelta {

// Where the bytes of one file go.
struct Sink {
  // Called from several threads at once, in any order of offsets; may be empty.
  std::function<Status(uint64_t offset, Bytes bytes)> write;
  // Fed with the whole file in order; may be null.
  Sha256Hasher* sha256 = nullptr;
};

// Archive, bases (with all that is rebuilt required) and options must outlive it.
class Rebuilder {
 public:
  Rebuilder(const archive::Archive& archive, const BaseSet& bases, const Options& options,
            ProgressMeter& progress);

  // Passes every byte of a file to `sink`, each chunk checked before.
  Status rebuild(const archive::File& file, const Sink& sink);

 private:
  // What one chunk stands for: `size` bytes at `offset` of the file.
  struct Stretch {
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  using Locate = std::function<Stretch(uint64_t number)>;
  using Decode = std::function<Status(Decoder&, uint64_t number, MutableBytes value)>;

  Status shard(const archive::File& file, const Sink& sink);
  Status side_file(const archive::File& file, const Sink& sink);
  Status embedded(const archive::File& file, const Sink& sink);
  Status reference(const archive::File& file, const Sink& sink);
  Status chunks(uint64_t count, const Locate& locate, const Decode& decode, const Sink& sink);
  Status pass(uint64_t offset, Bytes bytes, const Sink& sink);

  const archive::Archive& archive_;
  const BaseSet& bases_;
  const Options& options_;
  ProgressMeter& progress_;
  std::vector<Decoder> decoders_;                // one for each worker
  std::vector<std::vector<std::byte>> results_;  // likewise
  std::vector<std::byte> bundle_chunk_;          // the last one decoded
  std::optional<uint64_t> bundle_chunk_number_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_REBUILD_H_
