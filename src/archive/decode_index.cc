#include <algorithm>

#include "archive/index.h"
#include "archive/index_parts.h"
#include "base/error.h"
#include "base/zstd.h"

namespace finedelta::archive {

namespace {

// No zstd frame holds more: a block of at most 128 KiB takes 4 bytes or more.
constexpr uint64_t kLargestRatio = (uint64_t{128} << 10) / 4;

Status decode_body(Bytes body, const Layout& layout, uint64_t memory, Index& index) {
  RecordReader reader(body, memory / 4);
  decode_records(reader, layout, index);
  FINEDELTA_CHECK(reader.status());
  FINEDELTA_CHECK(check_records(index, memory));
  FINEDELTA_CHECK(complete(index));
  decode_chunks(reader, layout, index);
  for (File& file : index.files) {
    if (file.kind != FileKind::kEmptyDirectory) file.sha256.bytes = reader.array<32>();
  }
  if (index.lossy) decode_losses(reader, index);
  if (index.progressive) decode_rest(reader, layout, index);
  if (reader.remaining() != 0) reader.reject("bytes are left behind its end");
  FINEDELTA_CHECK(reader.status());
  return check_chunks(layout, index);
}

}  // namespace

Result<Index> decode_index(Bytes stored, const Layout& layout, uint64_t memory,
                           std::string_view where) {
  ByteReader prefix(stored);
  const Bytes hash = prefix.bytes(sizeof(Hash128));
  const uint64_t body_size = prefix.u64();
  if (!prefix.ok() || !std::ranges::equal(hash, xxh3_128(stored.subspan(sizeof(Hash128))).bytes)) {
    return fail(ErrorCode::kDamaged, "{}: the archive's index is damaged", quote(where));
  }
  if (body_size / kLargestRatio > prefix.remaining()) {
    return fail(ErrorCode::kDamaged, "{}: the archive's index says it is impossibly large",
                quote(where));
  }
  if (body_size > memory / 4) {
    return fail(ErrorCode::kFailure,
                "{}: the archive's index has {} bytes, too many for the memory limit; raise it "
                "with --memory",
                quote(where), body_size);
  }
  std::vector<std::byte> body(body_size);
  Status status = ZstdDecoder().decompress(prefix.bytes(prefix.remaining()), {}, body);
  Index index;
  if (status) status = decode_body(body, layout, memory, index);
  if (!status) {
    return fail(status.error().code, "{}: the archive's index can't be read: {}", quote(where),
                status.error().message);
  }
  return index;
}

}  // namespace finedelta::archive
