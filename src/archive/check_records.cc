#include <algorithm>
#include <vector>

#include "archive/index_parts.h"
#include "base/error.h"
#include "base/relative_path.h"
#include "safetensors/header.h"

namespace finedelta::archive {

namespace {

// As engine's HeaderBudget for one checkpoint.
constexpr uint64_t kHeaderShare = 32;

// Of the factors of one tensor, as they are stored.
constexpr uint64_t kFactorsShare = 8;

// In order, none twice, and none below a file. Of the paths seen so far, `around` holds those that
// the current one begins with: each begins with the one before it, and since the order is bytewise,
// what does not begin a path begins none that follows it.
Status check_order(const std::vector<File>& files) {
  std::vector<std::string_view> around;
  std::string_view before;
  for (const File& file : files) {
    const std::string_view path = file.path;
    if (before >= path) return fail(ErrorCode::kDamaged, "path {} is out of order", quote(path));
    before = path;
    while (!around.empty() && !path.starts_with(around.back())) around.pop_back();
    for (const std::string_view shorter : around) {
      if (path[shorter.size()] == '/') {
        return fail(ErrorCode::kDamaged, "path {} leads through a file", quote(path));
      }
    }
    around.push_back(path);
  }
  return {};
}

Status check_paths(const Index& index) {
  for (const File& file : index.files) FINEDELTA_CHECK(check_relative_path(file.path));
  for (const BaseFile& file : index.base_files) FINEDELTA_CHECK(check_relative_path(file.path));
  return check_order(index.files);
}

bool all(const std::vector<bool>& used) { return std::ranges::find(used, false) == used.end(); }

// Every record of a base is there for something.
bool all_used(const Index& index) {
  std::vector<bool> tensors(index.base_tensors.size());
  std::vector<bool> files(index.base_files.size());
  std::vector<bool> bases(index.bases.size());
  for (const File& file : index.files) {
    for (const Tensor& tensor : file.tensors) {
      for (const uint32_t base : tensor.prediction.bases()) tensors[base] = true;
    }
    if (file.kind == FileKind::kPatch || file.kind == FileKind::kReference) {
      files[file.base_file] = true;
    }
  }
  for (const BaseTensor& tensor : index.base_tensors) bases[tensor.base] = true;
  for (const BaseFile& file : index.base_files) bases[file.base] = true;
  return all(tensors) && all(files) && all(bases);
}

Status check_headers(const Index& index, uint64_t limit) {
  for (const File& file : index.files) {
    if (file.kind != FileKind::kShard) continue;
    if (!shard_header_fits(file, safetensors::kLargestHeader)) {
      return fail(ErrorCode::kDamaged, "the header of {} is larger than a reader takes",
                  quote(file.path));
    }
    if (!shard_header_fits(file, limit)) {
      return fail(ErrorCode::kFailure,
                  "the header of {} is too large for the memory limit; raise it with --memory",
                  quote(file.path));
    }
  }
  return {};
}

Status check_factors(const Index& index, uint64_t limit) {
  for (const File& file : index.files) {
    for (const Tensor& tensor : file.tensors) {
      if (tensor.factors.size > limit) {
        return fail(ErrorCode::kFailure,
                    "the factors of {} are too large for the memory limit; raise it with --memory",
                    quote(tensor.name));
      }
    }
  }
  return {};
}

bool is_one_shard(const std::vector<File>& files) {
  return files.size() == 1 && files[0].kind == FileKind::kShard && !files[0].path.contains('/');
}

}  // namespace

Status check_records(const Index& index, uint64_t memory) {
  FINEDELTA_CHECK(check_paths(index));
  if (!all_used(index)) {
    return fail(ErrorCode::kDamaged, "it records a base that nothing uses");
  }
  if (!std::ranges::equal(base_identities(index), index.bases, {}, {}, &Base::identity)) {
    return fail(ErrorCode::kDamaged, "the identity of a base does not fit its tensors");
  }
  if (index.single_file && !is_one_shard(index.files)) {
    return fail(ErrorCode::kDamaged, "a single file is not one shard");
  }
  FINEDELTA_CHECK(check_factors(index, memory / kFactorsShare));
  return check_headers(index, memory / kHeaderShare);
}

}  // namespace finedelta::archive
