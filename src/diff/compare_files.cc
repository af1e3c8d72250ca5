#include "diff/compare_files.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace finedelta {

namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

Result<bool> has_equal_bytes(const Entry& one, const Entry& other, const Cancellation* cancel) {
  if (one.size != other.size) return false;
  FINEDELTA_ASSIGN(const InputFile first, InputFile::open(one.source));
  FINEDELTA_ASSIGN(const InputFile second, InputFile::open(other.source));
  if (first.size() != one.size) return fail_changed(one.source);
  if (second.size() != other.size) return fail_changed(other.source);
  std::vector<std::byte> ours(std::min(kPiece, first.size()));
  std::vector<std::byte> theirs(ours.size());
  bool equal = true;
  for (uint64_t at = 0; equal && at < first.size(); at += kPiece) {
    if (cancel && cancel->cancelled()) return fail(ErrorCode::kCancelled, "interrupted");
    const uint64_t size = std::min(kPiece, first.size() - at);
    FINEDELTA_CHECK(first.read(at, std::span(ours).first(size)));
    FINEDELTA_CHECK(second.read(at, std::span(theirs).first(size)));
    equal = std::memcmp(ours.data(), theirs.data(), size) == 0;
  }
  FINEDELTA_CHECK(first.check_unchanged());
  FINEDELTA_CHECK(second.check_unchanged());
  return equal;
}

bool is_file(const Entry* entry) {
  return entry != nullptr && entry->kind != EntryKind::kEmptyDirectory;
}

}  // namespace

Result<FileDiffs> compare_files(const Inputs& inputs, const Cancellation* cancel) {
  const Checkpoint& base = inputs.bases[0];
  FileDiffs files;
  if (base.single_file || inputs.fine_tune.single_file) return files;
  const auto add = [&](const Entry& entry, std::string_view status) {
    files.differing.push_back({.path = entry.path, .status = std::string(status)});
  };
  for (const Entry& entry : inputs.fine_tune.entries) {
    if (entry.kind != EntryKind::kSideFile) continue;
    const Entry* const other = base.find(entry.path);
    if (!is_file(other)) {
      add(entry, "only in fine-tune");
      continue;
    }
    FINEDELTA_ASSIGN(const bool equal, has_equal_bytes(entry, *other, cancel));
    if (!equal) add(entry, "changed");
    files.equal += equal ? 1 : 0;
  }
  for (const Entry& entry : base.entries) {
    if (entry.kind != EntryKind::kSideFile) continue;
    const Entry* const other = inputs.fine_tune.find(entry.path);
    if (!is_file(other)) add(entry, "only in base");
    // No shard of the base, but one of the fine-tune.
    if (is_file(other) && other->kind == EntryKind::kShard) add(entry, "changed");
  }
  std::ranges::sort(files.differing, {}, &FileDiff::path);
  return files;
}

}  // namespace finedelta
