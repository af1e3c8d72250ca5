#include "engine/file_hashes.h"

#include "base/error.h"
#include "base/file_hash.h"
#include "base/guard.h"

namespace finedelta {

FileHashes::FileHashes(const Checkpoint& checkpoint, const Cancellation* cancel)
    : checkpoint_(checkpoint), cancel_(cancel), hashes_(checkpoint.entries.size()) {
  thread_ = std::jthread(
      [this](const std::stop_token& stop) { status_ = guarded([&] { return hash_all(stop); }); });
}

Status FileHashes::hash_all(const std::stop_token& stop) {
  for (size_t i = 0; i < hashes_.size(); ++i) {
    const Entry& entry = checkpoint_.entries[i];
    if (entry.kind == EntryKind::kEmptyDirectory) continue;
    FINEDELTA_ASSIGN(hashes_[i], hash(entry, stop));
  }
  return {};
}

Result<Sha256> FileHashes::hash(const Entry& entry, const std::stop_token& stop) const {
  FINEDELTA_ASSIGN(const InputFile file, InputFile::open(entry.source));
  Sha256Hasher hasher;
  FINEDELTA_CHECK(for_each_piece(file, cancel_, [&](uint64_t, Bytes piece) -> Status {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "interrupted");
    hasher.update(piece);
    return {};
  }));
  FINEDELTA_CHECK(file.check_unchanged());
  return hasher.digest();
}

Result<std::vector<Sha256>> FileHashes::finish() {
  thread_.join();
  if (!status_) return std::unexpected(status_.error());
  return std::move(hashes_);
}

}  // namespace finedelta
