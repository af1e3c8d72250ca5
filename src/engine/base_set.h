// The bases of an archive, found and checked.
#ifndef FINEDELTA_ENGINE_BASE_SET_H_
#define FINEDELTA_ENGINE_BASE_SET_H_

#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/archive.h"
#include "checkpoint/checkpoint.h"
#include "engine/tensor_bases.h"
#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// Finds the base tensors and base files that an archive records in the checkpoints at hand. A
// tensor is found by name, dtype, shape and sample hash, in whichever base and shard it is; where
// several fit (tables of which few rows differ), their fingerprints decide. A file is found by
// path, size and hash. After `require_*`, const members may be called from several threads at once.
class BaseSet final : public TensorBases {
 public:
  // `archive` must outlive the set. Opens `arguments` (headers only).
  static Result<BaseSet> open(const archive::Archive& archive,
                              const std::vector<std::string>& arguments, const Options& options);

  // Finds these records, or says which one is missing or differs (kWrongBase). Bases that were not
  // given are looked for in the local Hugging Face cache; kFailure where they are not there.
  Status require_tensors(const std::vector<uint32_t>& base_tensors);
  Status require_files(const std::vector<uint32_t>& base_files);
  Status require_all_tensors();
  Status require_all_files();

  // Of required tensors.
  Status read(uint32_t base_tensor, uint64_t offset, MutableBytes to) const override;
  Status check_tensor(uint32_t base_tensor) const override;

  [[nodiscard]] const InputFile& file(uint32_t base_file) const { return *files_[base_file]; }

  // Whether the whole of a required file is the one recorded: kWrongBase if not.
  Status check_file(uint32_t base_file) const;

  // Where the bases are, in the order in which they were opened: those in use, and all that were
  // opened.
  [[nodiscard]] std::vector<std::string> locations() const;
  [[nodiscard]] std::vector<std::string> all_locations() const;

 private:
  struct Opened {
    Checkpoint checkpoint;
    std::map<std::string_view, std::vector<std::pair<const Shard*, size_t>>> tensors;
    bool used = false;
  };
  struct Place {
    const Shard* shard = nullptr;
    const safetensors::Tensor* tensor = nullptr;
  };

  BaseSet(const archive::Archive& archive, const Options& options)
      : archive_(&archive), options_(&options) {}

  Status add(const std::string& argument);
  Result<Place> find_tensor(const archive::BaseTensor& wanted);
  Result<size_t> choose(const std::vector<std::pair<Opened*, Place>>& found,
                        const Hash128& fingerprint) const;
  Result<InputFile> find_file(const archive::BaseFile& wanted);
  // The records of one base that are wanted.
  struct Wanted {
    std::span<const uint32_t> tensors;
    std::span<const uint32_t> files;
  };
  Status locate(const Wanted& wanted);
  Status locate_in_cache(uint32_t base, const Wanted& wanted, const Status& without);
  Status require(std::vector<uint32_t> base_tensors, std::vector<uint32_t> base_files);

  const archive::Archive* archive_;
  const Options* options_;
  size_t given_ = 0;
  std::list<Opened> opened_;  // a list: places point into it
  std::vector<Place> places_;
  std::vector<std::optional<InputFile>> files_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_BASE_SET_H_
