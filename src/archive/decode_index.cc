#include <algorithm>
#include <set>
#include <string>

#include "archive/index.h"
#include "base/error.h"
#include "base/relative_path.h"
#include "base/zstd.h"
#include "coder/coder.h"
#include "predict/base/base.h"
#include "safetensors/header.h"
#include "side/side_codec.h"

namespace finedelta::archive {

namespace {

constexpr uint64_t kLongestModelName = 512;
constexpr uint64_t kLongestPath = 4096;
constexpr uint64_t kLongestName = uint64_t{1} << 20;

// No zstd frame holds more: a block of at most 128 KiB takes 4 bytes or more.
constexpr uint64_t kLargestRatio = (uint64_t{128} << 10) / 4;

// Reads the body. Every method takes one section from the reader, which remembers the first thing
// that is wrong; the memory that records take is counted against a budget as they come.
class IndexDecoder {
 public:
  IndexDecoder(Bytes body, const Layout& layout, uint64_t budget)
      : reader_(body), layout_(layout), budget_(budget) {}

  Status decode(Index& index) {
    decode_general(index);
    decode_bases(index);
    decode_base_tensors(index);
    decode_base_files(index);
    if (reader_.varint() != 0) reader_.reject("it has tables, which this version does not know");
    decode_files(index);
    if (reader_.ok()) FINEDELTA_CHECK(check_paths(index));
    if (reader_.ok()) check_use(index);
    if (reader_.ok()) FINEDELTA_CHECK(complete(index));
    decode_chunks(index);
    for (File& file : index.files) {
      if (file.kind != FileKind::kEmptyDirectory) file.sha256.bytes = array<32>();
    }
    if (reader_.ok() && reader_.remaining() != 0) reader_.reject("bytes are left behind its end");
    if (spent_) return fail(ErrorCode::kFailure, "it needs more memory than allowed");
    if (!reader_.ok()) {
      return fail(ErrorCode::kDamaged, "{} (at byte {} of the body)", reader_.why(),
                  reader_.offset());
    }
    return {};
  }

 private:
  template <size_t N>
  std::array<std::byte, N> array() {
    std::array<std::byte, N> out{};
    std::ranges::copy(reader_.bytes(N), out.begin());
    return out;
  }

  // Counts memory; beyond the budget the reader stops.
  void spend(uint64_t bytes) {
    if (bytes > budget_) {
      spent_ = true;
      reader_.reject("it is too large");
      return;
    }
    budget_ -= bytes;
  }

  template <typename T>
  uint64_t count(uint64_t item_size) {
    const uint64_t number = reader_.count(item_size);
    // Twice: a vector that grows holds its old and its new elements for a moment.
    spend(2 * number * sizeof(T));
    return reader_.ok() ? number : 0;
  }

  std::string text(uint64_t longest) {
    const std::string_view raw = reader_.string(longest);
    spend(raw.size());
    return reader_.ok() ? std::string(raw) : std::string();
  }

  uint32_t place(size_t size) {
    const uint64_t value = reader_.varint();
    if (value >= size) reader_.reject("it names a record that is not there");
    return reader_.ok() ? static_cast<uint32_t>(value) : 0;
  }

  DType dtype() {
    const uint8_t value = reader_.u8();
    if (value >= kDTypeCount) reader_.reject("a dtype is unknown");
    return reader_.ok() ? static_cast<DType>(value) : DType::kU8;
  }

  std::vector<uint64_t> shape() {
    const uint8_t rank = reader_.u8();
    if (rank > safetensors::kLargestRank) reader_.reject("a tensor has too many dimensions");
    if (!reader_.ok()) return {};
    spend(rank * sizeof(uint64_t));
    std::vector<uint64_t> dimensions(rank);
    for (uint64_t& dimension : dimensions) dimension = reader_.varint();
    return dimensions;
  }

  void decode_general(Index& index) {
    const uint8_t flags = reader_.u8();
    if (flags > 1) reader_.reject("it has unknown flags");
    index.single_file = flags == 1;
    index.chunk_log2 = reader_.u8();
    if (index.chunk_log2 < kLeastChunkLog2 || index.chunk_log2 > kLargestChunkLog2) {
      reader_.reject("its chunk size is out of range");
    }
  }

  void decode_bases(Index& index) {
    const uint64_t number = count<Base>(2 + sizeof(Hash128));
    for (uint64_t i = 0; i < number && reader_.ok(); ++i) {
      Base base;
      base.name = text(kLongestModelName);
      base.revision = text(kLongestModelName);
      base.identity.bytes = array<16>();
      index.bases.push_back(std::move(base));
    }
  }

  void decode_base_tensors(Index& index) {
    const uint64_t number = count<BaseTensor>(4 + sizeof(Hash128) + sizeof(uint64_t));
    for (uint64_t i = 0; i < number && reader_.ok(); ++i) {
      BaseTensor tensor;
      tensor.base = place(index.bases.size());
      tensor.name = text(kLongestName);
      tensor.dtype = dtype();
      tensor.shape = shape();
      if (reader_.ok() && !safetensors::tensor_bytes(tensor.dtype, tensor.shape)) {
        reader_.reject("a base tensor has an impossible shape");
      }
      index.base_tensors.push_back(std::move(tensor));
    }
    for (BaseTensor& tensor : index.base_tensors) tensor.fingerprint.bytes = array<16>();
    for (BaseTensor& tensor : index.base_tensors) tensor.sample = reader_.u64();
  }

  void decode_base_files(Index& index) {
    const uint64_t number = count<BaseFile>(3 + sizeof(Hash128));
    for (uint64_t i = 0; i < number && reader_.ok(); ++i) {
      BaseFile file;
      file.base = place(index.bases.size());
      file.path = text(kLongestPath);
      file.size = reader_.varint();
      file.hash.bytes = array<16>();
      index.base_files.push_back(std::move(file));
    }
  }

  void decode_files(Index& index) {
    const uint64_t number = count<File>(3);
    for (uint64_t i = 0; i < number && reader_.ok(); ++i) {
      File file;
      file.path = text(kLongestPath);
      const uint8_t kind = reader_.u8();
      if ((kind & 15) > static_cast<unsigned>(FileKind::kEmptyDirectory) || kind > 31) {
        reader_.reject("a file is of an unknown kind");
      }
      if (!reader_.ok()) return;
      file.kind = static_cast<FileKind>(kind & 15);
      file.executable = (kind & 16) != 0;
      decode_file(index, file);
      index.files.push_back(std::move(file));
    }
  }

  void decode_file(const Index& index, File& file) {
    switch (file.kind) {
      case FileKind::kShard:
        decode_shard(index, file);
        break;
      case FileKind::kPatch:
        file.size = reader_.varint();
        file.base_file = place(index.base_files.size());
        break;
      case FileKind::kStored:
        file.size = reader_.varint();
        break;
      case FileKind::kEmbedded:
        file.size = reader_.varint();
        if (file.size > kLargestEmbedded) reader_.reject("an embedded file is too large");
        break;
      case FileKind::kReference:
        file.base_file = place(index.base_files.size());
        break;
      case FileKind::kEmptyDirectory:
        if (file.executable) reader_.reject("a file is of an unknown kind");
        break;
    }
  }

  void decode_shard(const Index& index, File& file) {
    const uint8_t form = reader_.u8();
    if (form > 1) reader_.reject("a header has an unknown form");
    file.canonical_header = form == 0;
    (file.canonical_header ? file.metadata : file.header) = text(safetensors::kLargestHeader);
    const uint64_t number = count<Tensor>(4);
    std::set<std::string_view> names;
    file.tensors.reserve(number);
    for (uint64_t i = 0; i < number && reader_.ok(); ++i) {
      file.tensors.push_back(decode_tensor(index));
      if (!names.insert(file.tensors.back().name).second) {
        reader_.reject("two tensors of a shard have the same name");
      }
    }
  }

  Tensor decode_tensor(const Index& index) {
    Tensor tensor;
    tensor.name = text(kLongestName);
    tensor.dtype = dtype();
    tensor.shape = shape();
    const uint8_t predictor = reader_.u8();
    if (predictor > 1) reader_.reject("a predictor is unknown");
    if (predictor == 1) tensor.base_tensor = place(index.base_tensors.size());
    if (!reader_.ok() || !tensor.base_tensor) return tensor;
    const BaseTensor& base = index.base_tensors[*tensor.base_tensor];
    if (!can_predict(base.dtype, base.shape, tensor.dtype, tensor.shape)) {
      reader_.reject("a tensor can't be predicted from its base tensor");
    }
    return tensor;
  }

  static Status check_paths(const Index& index) {
    std::set<std::string_view> paths;
    const File* before = nullptr;
    for (const File& file : index.files) {
      FINEDELTA_CHECK(check_relative_path(file.path));
      if (before && before->path >= file.path) {
        return fail(ErrorCode::kDamaged, "path {} is out of order", quote(file.path));
      }
      before = &file;
      paths.insert(file.path);
    }
    for (const File& file : index.files) {
      const std::string_view path = file.path;
      for (size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
        if (paths.contains(path.substr(0, at))) {
          return fail(ErrorCode::kDamaged, "path {} leads through a file", quote(path));
        }
      }
    }
    for (const BaseFile& file : index.base_files) FINEDELTA_CHECK(check_relative_path(file.path));
    return {};
  }

  // Every record is there for something, and what identifies a base fits its tensors.
  void check_use(const Index& index) {
    std::vector<bool> tensors(index.base_tensors.size());
    std::vector<bool> files(index.base_files.size());
    std::vector<bool> bases(index.bases.size());
    for (const File& file : index.files) {
      for (const Tensor& tensor : file.tensors) {
        if (tensor.base_tensor) tensors[*tensor.base_tensor] = true;
      }
      if (file.kind == FileKind::kPatch || file.kind == FileKind::kReference) {
        files[file.base_file] = true;
      }
    }
    for (const BaseTensor& tensor : index.base_tensors) bases[tensor.base] = true;
    for (const BaseFile& file : index.base_files) bases[file.base] = true;
    const auto all = [](const std::vector<bool>& used) {
      return std::ranges::all_of(used, [](bool x) { return x; });
    };
    if (!all(tensors) || !all(files) || !all(bases)) {
      reader_.reject("it records a base that nothing uses");
    }
    for (uint32_t i = 0; i < index.bases.size(); ++i) {
      if (base_identity(index, i) != index.bases[i].identity) {
        reader_.reject("the identity of a base does not fit its tensors");
      }
    }
    if (index.single_file && (index.files.size() != 1 || index.files[0].kind != FileKind::kShard ||
                              index.files[0].path.contains('/'))) {
      reader_.reject("a single file is not one shard");
    }
  }

  void decode_chunks(Index& index) {
    if (!reader_.ok()) return;
    const uint64_t number = chunk_count(index);
    constexpr uint64_t kLeastRecord = 2 + sizeof(Hash128);
    if (number > reader_.remaining() / kLeastRecord) {
      reader_.reject("it has fewer chunks than its tensors need");
      return;
    }
    spend(number * sizeof(Chunk));
    if (!reader_.ok()) return;
    index.chunks.resize(number);
    for (Chunk& chunk : index.chunks) chunk.coder = reader_.u8();
    decode_sizes(index);
    decode_prefixes(index);
    for (Chunk& chunk : index.chunks) {
      if (chunk.size > 0) chunk.stored_hash = reader_.u64();
    }
    for (Chunk& chunk : index.chunks) chunk.result_hash.bytes = array<16>();
    if (reader_.ok()) check_chunks(index);
  }

  void decode_sizes(Index& index) {
    uint64_t offset = kHeaderSlot;
    for (uint64_t i = 0; i < index.chunks.size(); ++i) {
      const uint64_t size = reader_.varint();
      if (size > layout_.index_offset() - offset) {
        reader_.reject("its chunks are larger than the archive");
      }
      if (!reader_.ok()) return;
      index.chunks[i].offset = offset;
      index.chunks[i].size = static_cast<uint32_t>(size);
      if (index.chunks[i].size != size) reader_.reject("a chunk is too large");
      offset += size;
      const bool payload_ends = i + 1 == index.tensor_chunks;
      if (payload_ends && offset != layout_.side_offset()) {
        reader_.reject("its chunks do not fill the payload");
      }
    }
    if (index.tensor_chunks == 0 && layout_.payload_size != 0) {
      reader_.reject("its chunks do not fill the payload");
    }
    if (offset != layout_.index_offset()) reader_.reject("its chunks do not fill the archive");
  }

  void decode_prefixes(Index& index) {
    for (uint64_t i = index.tensor_chunks; i < index.chunks.size() && reader_.ok(); ++i) {
      if (index.chunks[i].coder != static_cast<uint8_t>(SideCoder::kPatch)) continue;
      spend(64);  // a node of the map
      Prefix prefix;
      prefix.offset = reader_.varint();
      prefix.size = reader_.varint();
      index.prefixes.emplace(i, prefix);
    }
  }

  void check_chunks(const Index& index) {
    for (const File& file : index.files) {
      for (const Tensor& tensor : file.tensors) {
        for (uint64_t i = 0; i < tensor.chunks; ++i) {
          check_tensor_chunk(index.chunks[tensor.first_chunk + i], chunk_bytes(index, tensor, i));
        }
      }
    }
    const uint64_t bundle_chunks = bundle_chunk_count(index);
    for (uint64_t i = 0; i < bundle_chunks; ++i) {
      check_side_chunk(index, index.tensor_chunks + i, nullptr,
                       side_chunk_bytes(index.bundle_size, i));
    }
    for (const File& file : index.files) {
      for (uint64_t i = 0; i < file.chunks; ++i) {
        check_side_chunk(index, file.first_chunk + i, &file, side_chunk_bytes(file.size, i));
      }
    }
  }

  void check_tensor_chunk(const Chunk& chunk, uint64_t result) {
    if (chunk.coder >= coders().size()) reader_.reject("a coder is unknown");
    check_size(chunk, result, chunk.coder == 0, chunk.coder == 1);
  }

  void check_side_chunk(const Index& index, uint64_t number, const File* file, uint64_t result) {
    const Chunk& chunk = index.chunks[number];
    if (chunk.coder > static_cast<uint8_t>(SideCoder::kPatch)) {
      reader_.reject("a coder is unknown");
    }
    check_size(chunk, result, chunk.coder == static_cast<uint8_t>(SideCoder::kRaw), false);
    if (chunk.coder != static_cast<uint8_t>(SideCoder::kPatch)) return;
    if (!file || file->kind != FileKind::kPatch) {
      reader_.reject("a patch belongs to no patched file");
      return;
    }
    const Prefix& prefix = index.prefixes.at(number);
    const uint64_t size = index.base_files[file->base_file].size;
    if (prefix.size > kLargestPrefix || prefix.offset > size ||
        prefix.size > size - prefix.offset) {
      reader_.reject("a patch leaves its base file");
    }
  }

  void check_size(const Chunk& chunk, uint64_t result, bool raw, bool identical) {
    const bool fits = raw         ? chunk.size == result
                      : identical ? chunk.size == 0
                                  : chunk.size > 0 && chunk.size < result;
    if (!fits) reader_.reject("a chunk has a size that its coder does not allow");
  }

  ByteReader reader_;
  const Layout& layout_;
  uint64_t budget_;
  bool spent_ = false;
};

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
  if (status) status = IndexDecoder(body, layout, memory / 4).decode(index);
  if (!status) {
    return fail(status.error().code, "{}: the archive's index can't be read: {}", quote(where),
                status.error().message);
  }
  return index;
}

}  // namespace finedelta::archive
