#include "archive/archive.h"

#include "archive/index.h"
#include "base/error.h"

namespace finedelta::archive {

Result<Archive> Archive::open(const std::string& path, uint64_t memory) {
  FINEDELTA_ASSIGN(InputFile file, InputFile::open(path));
  FINEDELTA_ASSIGN(const Layout layout, read_layout(file));
  if (layout.index_size > memory / 4) {
    return fail(ErrorCode::kFailure,
                "{}: the archive's index has {} bytes, too many for the memory limit; raise it "
                "with --memory",
                quote(path), layout.index_size);
  }
  std::vector<std::byte> stored(layout.index_size);
  FINEDELTA_CHECK(file.read(layout.index_offset(), stored));
  FINEDELTA_ASSIGN(Index index, decode_index(stored, layout, memory, path));
  return Archive{.file = std::move(file), .layout = layout, .index = std::move(index)};
}

Status Archive::read_chunk(const Chunk& chunk, std::vector<std::byte>& stored) const {
  stored.resize(chunk.size);
  if (chunk.size == 0) return {};
  FINEDELTA_CHECK(file.read(chunk.offset, stored));
  if (xxh3_64(stored) != chunk.stored_hash) {
    return fail(ErrorCode::kDamaged, "{}: the {} bytes at {} are damaged", quote(file.path()),
                chunk.size, chunk.offset);
  }
  return {};
}

}  // namespace finedelta::archive
