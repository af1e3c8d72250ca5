#include "base/file_hash.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace finedelta {

namespace {

constexpr uint64_t kPiece = uint64_t{1} << 20;

}  // namespace

Status for_each_piece(const InputFile& file, const Cancellation* cancel,
                      const std::function<Status(uint64_t offset, Bytes)>& visit) {
  std::vector<std::byte> piece(std::min(kPiece, file.size()));
  for (uint64_t at = 0; at < file.size(); at += piece.size()) {
    if (cancel && cancel->cancelled()) return fail(ErrorCode::kCancelled, "interrupted");
    piece.resize(std::min(kPiece, file.size() - at));
    FINEDELTA_CHECK(file.read(at, piece));
    FINEDELTA_CHECK(visit(at, piece));
  }
  return {};
}

Result<Hash128> hash_file(const InputFile& file, const Cancellation* cancel) {
  Hasher128 hasher;
  FINEDELTA_CHECK(for_each_piece(file, cancel, [&](uint64_t, Bytes piece) -> Status {
    hasher.update(piece);
    return {};
  }));
  return hasher.digest();
}

}  // namespace finedelta
