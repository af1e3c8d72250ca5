// Models in the local Hugging Face cache. Nothing here uses the network.
//
// The layout, made by the huggingface_hub package: models--ORG--NAME/ holds blobs/, refs/REV (a
// file with a commit in it) and snapshots/COMMIT/, whose files are links into blobs/. A model
// without an organisation lies in models--NAME/.
#ifndef FINEDELTA_CHECKPOINT_HF_CACHE_H_
#define FINEDELTA_CHECKPOINT_HF_CACHE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/model_name.h"
#include "finedelta/result.h"

namespace finedelta {

struct Snapshot {
  ModelName model;
  std::string path;     // .../models--ORG--NAME/snapshots/COMMIT, a real path
  std::string storage;  // .../models--ORG--NAME, a real path: the snapshot's links end in it
};

// Where the cache is: $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub,
// $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub; the first whose variable is set and
// not empty. A leading "~/" means $HOME. Empty where not even $HOME is set.
[[nodiscard]] std::string hf_cache_folder();

// Finds `org/name[@revision]` in the cache. A revision is a ref ("main", where none is given), a
// commit or the first 7 or more digits of one. kFailure when the cache does not hold it, when
// several commits begin so, or `argument` is no model name; kDamaged for a ref that is unsafe to
// follow.
Result<Snapshot> find_snapshot(std::string_view argument);

// The snapshot that the real path `path` is, or lies in. Only the path's text is looked at.
[[nodiscard]] std::optional<Snapshot> snapshot_around(std::string_view path);

// The snapshot folders in the local Hugging Face cache that may hold `model`: the recorded revision
// of the recorded name first, then its others; where no name is recorded, every snapshot there is.
// Real paths; a name that is unsafe to look for, or not there, gives none.
std::vector<std::string> cached_snapshots(const ModelName& model);

}  // namespace finedelta

#endif  // FINEDELTA_CHECKPOINT_HF_CACHE_H_
