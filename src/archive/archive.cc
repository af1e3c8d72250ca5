#include "archive/archive.h"

#include <algorithm>

#include "archive/index.h"
#include "base/error.h"
#include "predict/low_rank/factors.h"

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
  return Archive{
      .file = std::move(file), .layout = layout, .index = std::move(index), .memory = memory};
}

Status Archive::set_layers(unsigned layers) {
  const unsigned has = index.progressive ? 2 : 1;
  if (layers > has) {
    return fail(ErrorCode::kUsage, "{} has {}, not {}", quote(file.path()),
                has == 1 ? "one layer" : "2 layers", layers);
  }
  first_layer_only = layers == 1;
  return {};
}

const Sha256& Archive::sha256(const File& file_of_index) const {
  const bool original = reads_rest() && file_of_index.kind == FileKind::kShard;
  return original ? file_of_index.original_sha256 : file_of_index.sha256;
}

Status Archive::read_chunk(const Chunk& chunk, std::vector<std::byte>& stored) const {
  stored.resize(chunk.size);
  return chunk.size == 0 ? Status() : read_stored(chunk.offset, chunk.stored_hash, stored);
}

Status Archive::read_factors(const StoredFactors& factors, std::vector<std::byte>& stored) const {
  stored.resize(factors.size);
  FINEDELTA_CHECK(read_stored(factors.offset, factors.hash, stored));
  if (layout.oldest_reader >= 2 || factor_code(stored) == FactorCode::kRice) return {};
  return fail(ErrorCode::kDamaged, "{}: the {} bytes at {} are factors of a newer format",
              quote(file.path()), stored.size(), factors.offset);
}

Result<uint64_t> Archive::read_rank(const StoredFactors& factors) const {
  std::vector<std::byte> head(std::min<uint64_t>(factors.size, kFactorsHead));
  FINEDELTA_CHECK(file.read(factors.offset, head));
  return factors_rank(head);
}

Status Archive::read_stored(uint64_t offset, uint64_t hash, MutableBytes stored) const {
  FINEDELTA_CHECK(file.read(offset, stored));
  if (xxh3_64(stored) == hash) return {};
  return fail(ErrorCode::kDamaged, "{}: the {} bytes at {} are damaged", quote(file.path()),
              stored.size(), offset);
}

}  // namespace finedelta::archive
