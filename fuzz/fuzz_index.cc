// Reads the input as the body of an index: see archive_input.h. What is accepted must be sound, and
// be written as it was read; what is refused must say so.
#include <set>
#include <span>
#include <string_view>

#include "archive/index.h"
#include "archive_input.h"
#include "base/relative_path.h"
#include "corrupt/sample.h"
#include "predict/predict.h"
#include "safetensors/header.h"
#include "side/side_codec.h"

namespace {

using namespace finedelta;
using archive::Chunk;
using archive::File;
using archive::FileKind;
using archive::Index;
using archive::Layout;

constexpr uint64_t kMemory = uint64_t{64} << 20;

// Where the chunks end that come one after another from `offset` on.
uint64_t check_places(std::span<const Chunk> chunks, uint64_t offset) {
  for (const Chunk& chunk : chunks) {
    FUZZ_CHECK(chunk.offset == offset);
    offset += chunk.size;
  }
  return offset;
}

void check_chunk_places(const Index& index, const Layout& layout) {
  const std::span<const Chunk> chunks(index.chunks);
  uint64_t offset = archive::kHeaderSlot;
  for (const File& file : index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      FUZZ_CHECK((tensor.factors.size > 0) ==
                 (tensor.prediction.formula.predictor == Predictor::kLowRank));
      FUZZ_CHECK(tensor.factors.size == 0 || tensor.factors.offset == offset);
      offset += tensor.factors.size;
      offset = check_places(chunks.subspan(tensor.first_chunk, tensor.chunks), offset);
    }
  }
  FUZZ_CHECK(check_places(index.rest, offset) == layout.side_offset());
  FUZZ_CHECK(check_places(chunks.subspan(index.tensor_chunks), layout.side_offset()) ==
             layout.index_offset());
}

void check_rest(const Index& index) {
  FUZZ_CHECK(index.lossy || !index.progressive);
  uint64_t next = 0;
  for (const File& file : index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      if (!index.progressive || !tensor.error) continue;
      FUZZ_CHECK(tensor.first_rest == next);
      for (uint64_t i = 0; i < tensor.chunks; ++i, ++next) {
        FUZZ_CHECK(index.rest.at(next).size <= archive::chunk_bytes(index, tensor, i));
      }
    }
  }
  FUZZ_CHECK(next == index.rest.size());
}

void check_tensors(const Index& index, const File& file, uint64_t& next_chunk) {
  std::set<std::string_view> names;
  uint64_t offset = safetensors::kLengthSize + archive::shard_header(file).size();
  for (const archive::Tensor& tensor : file.tensors) {
    FUZZ_CHECK(names.insert(tensor.name).second);
    FUZZ_CHECK(tensor.offset == offset);
    FUZZ_CHECK(safetensors::tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes);
    for (const uint32_t base : tensor.prediction.bases()) {
      FUZZ_CHECK(base < index.base_tensors.size());
    }
    FUZZ_CHECK(has_valid_factors(tensor.prediction.formula));
    FUZZ_CHECK(tensor.first_chunk == next_chunk);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < tensor.chunks; ++i) {
      const uint64_t size = archive::chunk_bytes(index, tensor, i);
      FUZZ_CHECK(size > 0 && size % dtype_unit(tensor.dtype) == 0);
      FUZZ_CHECK(index.chunks.at(tensor.first_chunk + i).size <= size);
      bytes += size;
    }
    FUZZ_CHECK(bytes == tensor.bytes);
    next_chunk += tensor.chunks;
    offset += tensor.bytes;
  }
  FUZZ_CHECK(file.size == offset);
}

void check_side_file(const Index& index, const File& file) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < file.chunks; ++i) {
    const Chunk& chunk = index.chunks.at(file.first_chunk + i);
    const uint64_t size = archive::side_chunk_bytes(file.size, i);
    FUZZ_CHECK(chunk.size > 0 && chunk.size <= size);
    bytes += size;
    if (chunk.coder != static_cast<uint8_t>(SideCoder::kPatch)) continue;
    const archive::Prefix& prefix = index.prefixes.at(file.first_chunk + i);
    FUZZ_CHECK(file.kind == FileKind::kPatch && prefix.size <= kLargestPrefix);
    FUZZ_CHECK(prefix.offset + prefix.size <= index.base_files.at(file.base_file).size);
  }
  FUZZ_CHECK(bytes == file.size);
}

void check_files(const Index& index) {
  uint64_t next_chunk = 0;
  std::string_view before;
  for (const File& file : index.files) {
    FUZZ_CHECK(check_relative_path(file.path).has_value());
    FUZZ_CHECK(before < file.path);
    before = file.path;
    if (file.kind == FileKind::kShard) check_tensors(index, file, next_chunk);
    const bool has_chunks = file.kind == FileKind::kStored || file.kind == FileKind::kPatch;
    if (has_chunks) check_side_file(index, file);
    FUZZ_CHECK(has_chunks || file.chunks == 0);
  }
  FUZZ_CHECK(next_chunk == index.tensor_chunks);
}

// The body, compressed and hashed.
std::string stored_index(Bytes body) {
  return corrupt::index_of_frame(corrupt::frame_of(as_text(body)), body.size());
}

void check(Bytes bytes) {
  const auto input = parse_input(bytes);
  if (!input) return;
  const std::string stored = stored_index(input->rest);
  const Layout layout = input_layout(input->payload_size, input->side_size, stored.size());
  const Result<Index> index = archive::decode_index(as_bytes(stored), layout, kMemory, "input");
  if (!index) {
    FUZZ_CHECK(index.error().code == ErrorCode::kDamaged ||
               index.error().code == ErrorCode::kFailure);
    return check_message(index.error());
  }
  check_chunk_places(*index, layout);
  check_files(*index);
  check_rest(*index);
  FUZZ_CHECK(corrupt::body_of(*index) == as_text(input->rest));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check(std::as_bytes(std::span(data, size)));
  return 0;
}
