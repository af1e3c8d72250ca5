// What an archive holds, read from its index alone.
#ifndef FINEDELTA_INSPECT_H_
#define FINEDELTA_INSPECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct BaseSummary {
  std::string name;      // "org/name"; empty where it was not known
  std::string revision;  // the commit; empty where it was not known
  std::string identity;  // 32 hexadecimal digits: XXH3-128 over the used tensors
  uint64_t tensors = 0;  // used by the archive
};

struct CoderUse {
  std::string coder;  // "identical", "planes", "raw", "sparse", "steps", "wavelet"
  uint64_t chunks = 0;
};

// How a tensor that comes out of a lossy archive differs from the fine-tune's. The delta is what a
// value is more than the base's.
struct TensorError {
  double relative_error = 0;  // root of the squared error over the squared delta; rounded up
  double largest_error = 0;   // magnitude, of one element; rounded up
  double cosine = 0;          // of the delta that comes out and the fine-tune's
  double energy_kept = 0;     // its square: the share of the delta's energy along what comes out
  double sign_agreement = 0;  // share of the changed elements whose delta has the right sign
  double zeros = 0;           // share of the elements that are as in the base
};

struct TensorSummary {
  std::string name;
  std::string shard;  // path of its file
  std::string dtype;  // as in a safetensors header
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
  uint64_t elements = 0;
  // "none", "same", or what was needed to match, joined by '+': "renamed", "tied", "resized",
  // "cast".
  std::string match;
  std::string base_tensor;         // empty: none
  uint64_t base = 0;               // index into `bases` where there is a base tensor
  std::string second_base_tensor;  // of a combination; empty: none
  uint64_t second_base = 0;        // index into `bases` where there is a second base tensor
  std::string predictor;           // "none", "base", "scaled", "combination", "low rank"
  std::vector<double> factors;     // of the predictor: one, two or none
  std::vector<CoderUse> coders;
  uint64_t rank = 0;                 // of a low-rank prediction
  uint64_t stored_bytes = 0;         // in the payload, of all layers
  uint64_t second_layer_bytes = 0;   // of those, the second layer's
  std::optional<TensorError> error;  // of a tensor that is inexact in the first layer
};

struct FileSummary {
  std::string path;
  std::string kind;  // "shard", "stored", "patch", "embedded", "reference", "directory"
  bool executable = false;
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal; empty for a directory
  // Of the file that was packed, where that is not what comes out; else empty.
  std::string original_sha256;
  // Of a shard of a progressive archive: what comes out of the first layer.
  std::string first_layer_sha256;
  // Of a shard: "__metadata__" of its header, a JSON object of strings; empty where it has none.
  std::string metadata;
};

struct ArchiveSummary {
  uint64_t format_version = 0;
  bool single_file = false;
  bool lossy = false;  // what comes out of all layers is not what was packed
  // Of a progressive archive: its first layer is lossy, and what the second one adds to it.
  bool progressive = false;
  uint64_t second_layer_bytes = 0;
  uint64_t archive_bytes = 0;
  uint64_t payload_bytes = 0;  // coded tensors
  uint64_t side_bytes = 0;     // coded side files
  uint64_t index_bytes = 0;
  uint64_t input_bytes = 0;   // of all files
  uint64_t weight_bytes = 0;  // of all tensors
  std::vector<BaseSummary> bases;
  std::vector<FileSummary> files;
  std::vector<TensorSummary> tensors;
};

// Reads header and index of `archive`, and checks them; of the payload, only the ranks are read.
// kDamaged, kFailure. Several calls may run at once.
Result<ArchiveSummary> inspect(const std::string& archive, const Options& options = {});

// Whether the file at `path` starts as an archive of any format version does.
bool is_archive(const std::string& path);

}  // namespace finedelta

#endif  // FINEDELTA_INSPECT_H_
