// What identifies a base tensor. docs/format.md, section 3.3.
#ifndef FINEDELTA_ARCHIVE_FINGERPRINT_H_
#define FINEDELTA_ARCHIVE_FINGERPRINT_H_

#include <cstdint>
#include <span>

#include "base/hash.h"
#include "numeric/dtype.h"

namespace finedelta::archive {

// Puts a fingerprint together from the hashes of the tensor's blocks, so that the blocks can be
// hashed in parallel.
class Fingerprint {
 public:
  Fingerprint(DType dtype, std::span<const uint64_t> shape);
  // XXH3-128 of the next kFingerprintBlock bytes (the last block: of what is left).
  void add_block(const Hash128& block) { hasher_.update(block.bytes); }
  [[nodiscard]] Hash128 digest() const { return hasher_.digest(); }

 private:
  Hasher128 hasher_;
};

[[nodiscard]] uint64_t fingerprint_blocks(uint64_t bytes);

// The bytes of a tensor, `bytes` long in all, that its sample hash is taken of.
struct SampleRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};
[[nodiscard]] SampleRange sample_range(uint64_t bytes);

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_FINGERPRINT_H_
