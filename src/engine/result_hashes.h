// SHA-256 of shards that are not files yet, from their tensors' bytes in order.
#ifndef FINEDELTA_ENGINE_RESULT_HASHES_H_
#define FINEDELTA_ENGINE_RESULT_HASHES_H_

#include <map>

#include "archive/format.h"
#include "base/hash.h"

namespace finedelta {

class ResultHashes {
 public:
  explicit ResultHashes(const archive::Index& index) {
    for (const archive::File& file : index.files) {
      if (file.kind == archive::FileKind::kShard) {
        hashers_[file.path].update(archive::shard_start(file));
      }
    }
  }
  void add(const archive::File& shard, Bytes bytes) { hashers_.at(shard.path).update(bytes); }
  // Nothing may be added afterwards.
  [[nodiscard]] Sha256 digest(const archive::File& shard) {
    return hashers_.at(shard.path).digest();
  }

 private:
  std::map<std::string, Sha256Hasher> hashers_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_RESULT_HASHES_H_
