// Shard indexes: the *.safetensors.index.json files that say which shard holds which tensor. The
// shards themselves are what counts; an index is only compared with them.
#ifndef FINEDELTA_CHECKPOINT_SHARD_INDEX_H_
#define FINEDELTA_CHECKPOINT_SHARD_INDEX_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "finedelta/result.h"

namespace finedelta {

inline constexpr uint64_t kLargestShardIndex = uint64_t{64} << 20;  // bytes

// The names of the tensors in each shard, by the shard's relative path. Both view into a checkpoint
// that must outlive them.
using ShardTensors = std::map<std::string_view, std::set<std::string_view>>;

[[nodiscard]] bool is_shard_index(std::string_view path);

// Whether each tensor named in the index at `file` is in the shard that the index names for it.
// Shards are looked for in `directory`, the index's own: relative, empty for the top. kDamaged with
// the file and the tensor otherwise, and for a file that is not JSON, not of the expected form or
// over kLargestShardIndex bytes; kFailure when it can't be read. Takes a few times the
// file's size in memory at worst; never recursive.
Status check_shard_index(const std::string& file, std::string_view directory,
                         const ShardTensors& shards);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_SHARD_INDEX_H_
