// An archive that is open for reading.
#ifndef FINEDELTA_ARCHIVE_ARCHIVE_H_
#define FINEDELTA_ARCHIVE_ARCHIVE_H_

#include <string>
#include <vector>

#include "archive/format.h"
#include "archive/layout.h"
#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta::archive {

// Const members may be called from several threads at once.
struct Archive {
  InputFile file;
  Layout layout;
  Index index;
  uint64_t memory = 0;  // the limit that it was opened with
  bool first_layer_only = false;

  // Reads and checks header and index; takes at most about three quarters of `memory` bytes.
  static Result<Archive> open(const std::string& path, uint64_t memory);

  // Reads so many layers from now on, 0: all that there are. kUsage where there are not so many.
  Status set_layers(unsigned layers);

  // Whether there is a second layer that is read.
  [[nodiscard]] bool reads_rest() const { return index.progressive && !first_layer_only; }
  // The same of one tensor.
  [[nodiscard]] bool reads_rest_of(const Tensor& tensor) const {
    return reads_rest() && tensor.error.has_value();
  }
  // The chunk of the last layer that is read: its result hash is that of what comes out.
  [[nodiscard]] const Chunk& last_chunk(const Tensor& tensor, uint64_t number) const {
    return reads_rest_of(tensor) ? index.rest[tensor.first_rest + number]
                                 : index.chunks[tensor.first_chunk + number];
  }
  // Whether what is read is not what was packed.
  [[nodiscard]] bool is_lossy() const { return index.lossy && !reads_rest(); }
  // Of what is read of a file.
  [[nodiscard]] const Sha256& sha256(const File& file_of_index) const;

  // The stored bytes of a chunk in `stored`, whose capacity is reused. kDamaged, with the offset,
  // when their hash is wrong.
  Status read_chunk(const Chunk& chunk, std::vector<std::byte>& stored) const;
  // Likewise for the factors of a tensor that has some.
  Status read_factors(const StoredFactors& factors, std::vector<std::byte>& stored) const;
  // The rank that the factors of a tensor say they have; not checked against any hash.
  Result<uint64_t> read_rank(const StoredFactors& factors) const;

 private:
  Status read_stored(uint64_t offset, uint64_t hash, std::span<std::byte> stored) const;
};

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_ARCHIVE_H_
