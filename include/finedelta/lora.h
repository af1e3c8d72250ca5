// A PEFT (LoRA) adapter made from a base and its fine-tune, without data.
#ifndef FINEDELTA_LORA_H_
#define FINEDELTA_LORA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

inline constexpr uint64_t kDefaultLoraRank = 64;

struct LoraOptions : Options {
  bool force = false;  // replace an existing output

  // At most one of these three; without any, `max_rank` is kDefaultLoraRank. Size and energy are
  // spent on the matrices by what a number stored keeps.
  std::optional<uint64_t> size;      // the most bytes of adapter_model.safetensors
  std::optional<double> energy;      // the share to keep of the matrices' squared differences
  std::optional<uint64_t> max_rank;  // the largest rank of a matrix

  // Write residual.fd beside the adapter: the archive of the fine-tune, at the highest level.
  bool plus_residual = false;
};

// A tensor that differs from the base's.
struct LoraTensor {
  std::string name;    // in the fine-tune
  std::string module;  // of the model; empty: none
  std::string dtype;
  std::vector<uint64_t> shape;
  std::string stored;  // "factors", "whole" or "left out"
  uint64_t rank = 0;   // of the factors
  std::string reason;  // why it is whole or left out; empty for factors
  // The difference from the base, and what of it is not stored, in norms of the base's and of the
  // difference. Unknown where the two can't be compared, or were not read.
  std::optional<double> relative_change;
  std::optional<double> relative_error;
};

struct LoraReport {
  uint64_t adapter_bytes = 0;   // of adapter_model.safetensors
  uint64_t residual_bytes = 0;  // of residual.fd; 0 without
  uint64_t modules = 0;         // that have factors
  uint64_t saved_modules = 0;   // that are stored whole
  uint64_t left_out = 0;        // tensors
  uint64_t largest_rank = 0;
  // The share that is kept of the squared differences of all matrices that may have factors.
  std::optional<double> energy_kept;
  std::vector<LoraTensor> tensors;  // in order of the fine-tune; equal ones are not among them
};

// Writes the directory `output` with adapter_config.json and adapter_model.safetensors, which PEFT
// loads on top of `base`. Inputs as for `pack`. Nothing appears at `output` before it is complete
// and on disk. The result is the same on one machine for any number of threads.
//
// `note` says what is lost: differences that are not of low rank, tensors that no adapter can hold.
// Errors: kUsage (more than one budget, one that can't be met, nothing to store, `output` exists or
// lies inside an input), kFailure (I/O, model not found, too little memory), kDamaged, kNoSpace,
// kCancelled. Several calls may run at once.
Result<LoraReport> lora(const std::string& base, const std::string& fine_tune,
                        const std::string& output, const LoraOptions& options = {});

struct LoraFromArchiveOptions : Options {
  bool force = false;
};

// The same from the low-rank factors that `archive` holds, reading neither base nor fine-tune: all
// of them and nothing else. What the archive's residuals add is not in the adapter, and how much
// that is is not known. kUsage for an archive without such factors.
Result<LoraReport> lora_from_archive(const std::string& archive, const std::string& output,
                                     const LoraFromArchiveOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_LORA_H_
