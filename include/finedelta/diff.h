// What a fine-tune changed in its base, tensor by tensor.
#ifndef FINEDELTA_DIFF_H_
#define FINEDELTA_DIFF_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct DiffOptions : Options {
  // Also find the effective rank of what each matrix gained. Matrices are then read again: once,
  // or twice where it is estimated.
  bool rank = false;
};

struct NonFinite {
  uint64_t nans = 0;
  uint64_t infinities = 0;
};

// What two tensors of floats are as vectors, without the elements that are not finite in both. The
// delta is what the fine-tune's numbers are more than the base's.
struct Norms {
  double base = 0;
  double fine_tune = 0;
  double delta = 0;
  // delta / base; none where the base's is 0.
  [[nodiscard]] std::optional<double> relative() const;
};

struct FloatDiff {
  Norms norms;
  double largest_delta = 0;      // the largest magnitude of an element's
  std::optional<double> cosine;  // of base and fine-tune; none where one of them is 0
  NonFinite base;
  NonFinite fine_tune;
  // How many elements differ in each bit, the lowest one first.
  std::vector<uint64_t> mantissa_bits;
  std::vector<uint64_t> exponent_bits;
  uint64_t sign_bit = 0;
  // How many elements are how many steps away, where a step leads from one number to the next of
  // its type: [0] none, [1] one, [2] two or three, [k] 2^(k-1) to 2^k - 1; up to the last one that
  // is not 0. From +0 to -0 is one step, and NaNs lie behind the infinity of their sign.
  std::vector<uint64_t> steps;
};

// How many directions a matrix has, weighted by their size: (sum s^2)^2 / sum s^4 over its singular
// values s. Of r equally strong directions it is r.
struct EffectiveRank {
  double value = 0;
  bool estimated = false;
};

struct TensorDiff {
  // In the fine-tune; of a tensor that only the base has, there.
  std::string name;
  std::string base_tensor;  // its name in the base; empty: the base has none
  // "equal" (bit by bit), "changed", "resized" (another first dimension: the rows that both have
  // are compared), "other dtype", "other shape", "only in base", "only in fine-tune".
  std::string status;
  std::string shard;       // path of its file; empty where the fine-tune has none
  std::string base_shard;  // likewise of the base
  std::string dtype;       // in the fine-tune; empty where it has none
  std::vector<uint64_t> shape;
  std::string base_dtype;  // empty where the base has none
  std::vector<uint64_t> base_shape;
  uint64_t elements = 0;  // that are compared
  uint64_t changed = 0;   // of those, the ones with other bits
  // Of compared tensors of type F16, BF16, F32 and F64.
  std::optional<FloatDiff> floats;
  // If asked for, of compared matrices of type F16, BF16 and F32 that changed. Elements that are
  // not finite count as unchanged.
  std::optional<EffectiveRank> rank;
};

struct FileDiff {
  std::string path;
  std::string status;  // "changed", "only in base", "only in fine-tune"
};

struct DiffReport {
  std::string base;  // where they were found
  std::string fine_tune;
  uint64_t equal = 0;  // tensors of each status
  uint64_t changed = 0;
  uint64_t resized = 0;
  uint64_t not_comparable = 0;  // of another dtype or shape
  uint64_t only_in_base = 0;
  uint64_t only_in_fine_tune = 0;
  uint64_t renamed = 0;   // tensors whose base tensor has another name, compared or not
  uint64_t elements = 0;  // of all tensors that were compared
  uint64_t changed_elements = 0;
  Norms norms;  // of all `floats` together
  NonFinite base_non_finite;
  NonFinite fine_tune_non_finite;
  std::vector<TensorDiff> tensors;  // in order of the fine-tune, then those only in the base
  uint64_t equal_files = 0;
  std::vector<FileDiff> files;  // that differ, by path; shards are not among them
  // Neither tensors, their names nor files differ.
  [[nodiscard]] bool identical() const;
};

// Compares tensors by name: of several with one name, those in shards of one path first; of others,
// those whose names differ by a prefix that many tensors add or drop. Compares other files by path,
// unless a model is a single file. How tensors are divided among shards, and the metadata of
// shards, make no difference. Writes nothing.
//
// The report is the same on any CPU with any number of threads, effective ranks on one machine.
// Errors: kUsage, kFailure (I/O, model not found, an input changed meanwhile), kDamaged,
// kCancelled. Several calls may run at once.
Result<DiffReport> diff(const std::string& base, const std::string& fine_tune,
                        const DiffOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_DIFF_H_
