#include "corrupt/sample.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "archive/fingerprint.h"
#include "archive/index.h"
#include "archive/layout.h"
#include "coder/planes/planes.h"
#include "predict/base/base.h"
#include "support/make_safetensors.h"

namespace finedelta::corrupt {

namespace {

using archive::File;
using archive::FileKind;

std::string text_of(Bytes bytes) { return std::string(as_text(bytes)); }

// Bytes without a pattern that zstd could find.
std::string noise(size_t size, uint64_t seed) {
  std::string out;
  uint64_t state = seed;
  while (out.size() < size) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    out += static_cast<char>(state >> 56);
  }
  return out;
}

std::string repeated(std::string_view text, size_t size) {
  std::string out;
  while (out.size() < size) out += text;
  out.resize(size);
  return out;
}

std::vector<TestTensor> base_tensors() {
  return {{.name = "a", .dtype = DType::kF32, .shape = {64}, .bytes = noise(256, 1)},
          {.name = "b", .dtype = DType::kBF16, .shape = {2, 8}, .bytes = noise(32, 2)},
          {.name = "c",
           .dtype = DType::kF32,
           .shape = {32},
           .bytes = repeated({"\0\0\x80\x3f", 4}, 128)},
          {.name = "f", .dtype = DType::kU8, .shape = {8, 4}, .bytes = noise(32, 3)}};
}

std::map<std::string, std::string> base_files() {
  return {{"merges.txt", noise(200, 4)}, {"same.txt", "the same\n"}};
}

// Byte 0 differs from the base by noise, byte 1 by a pattern, byte 2 by a constant, byte 3 not.
std::string changed_planes(std::string bytes) {
  const std::string low = noise(bytes.size(), 5);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char difference[] = {low[i], static_cast<char>(i / 4 % 2), '\x11', '\0'};
    bytes[i] = static_cast<char>(bytes[i] ^ difference[i % 4]);
  }
  return bytes;
}

std::vector<TestTensor> model_tensors() {
  const std::vector<TestTensor> base = base_tensors();
  return {
      {.name = "a", .dtype = DType::kF32, .shape = {64}, .bytes = changed_planes(base[0].bytes)},
      base[1],
      {.name = "c", .dtype = DType::kBF16, .shape = {32}, .bytes = repeated("\x81\x3f", 64)},
      {.name = "d", .dtype = DType::kU8, .shape = {8}, .bytes = noise(8, 6)},
      {.name = "e", .dtype = DType::kF16, .shape = {0, 3}, .bytes = {}},
      {.name = "f",
       .dtype = DType::kU8,
       .shape = {40, 4},
       .bytes = base[3].bytes + std::string(128, 'f')}};
}

constexpr std::string_view kMetadata = R"({"format":"pt"})";
constexpr std::string_view kOddHeader =
    R"({ "o":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  )";

std::map<std::string, std::string> fine_tune_files() {
  std::map<std::string, std::string> files;
  files["config.json"] = repeated("{\"layers\": 12}\n", 90);
  files["merges.txt"] = base_files().at("merges.txt") + "more\n";
  files["model.safetensors"] = make_safetensors(model_tensors(), kMetadata);
  files["notes.txt"] = repeated("note\n", kNotesSize);
  files["odd.safetensors"] = raw_safetensors(kOddHeader, "odd\n");
  files["same.txt"] = base_files().at("same.txt");
  files["tokens.bin"] = noise(24, 7);
  files["version.txt"] = "1\n";
  return files;
}

void add_base(archive::Index& index) {
  index.bases = {{.name = "org/base", .revision = "main", .identity = {}}};
  for (const TestTensor& tensor : base_tensors()) {
    archive::Fingerprint fingerprint(tensor.dtype, tensor.shape);
    fingerprint.add_block(xxh3_128(as_bytes(tensor.bytes)));
    index.base_tensors.push_back({.name = tensor.name,
                                  .dtype = tensor.dtype,
                                  .shape = tensor.shape,
                                  .fingerprint = fingerprint.digest(),
                                  .sample = xxh3_64(as_bytes(tensor.bytes))});
  }
  for (const auto& [path, content] : base_files()) {
    index.base_files.push_back(
        {.path = path, .size = content.size(), .hash = xxh3_128(as_bytes(content))});
  }
  index.bases[0].identity = archive::base_identities(index)[0];
}

File make_model() {
  File model{.path = "model.safetensors", .kind = FileKind::kShard};
  model.canonical_header = true;
  model.metadata = kMetadata;
  using From = Prediction<uint32_t>;
  const From predictions[] = {From::base(0), From::base(1), From::base(2),
                              From::none(),  From::none(),  From::base(3)};
  for (const TestTensor& tensor : model_tensors()) {
    model.tensors.push_back({.name = tensor.name,
                             .dtype = tensor.dtype,
                             .shape = tensor.shape,
                             .prediction = predictions[model.tensors.size()]});
  }
  return model;
}

File make_odd() {
  File odd{.path = "odd.safetensors", .kind = FileKind::kShard};
  odd.header = kOddHeader;
  odd.tensors = {{.name = "o", .dtype = DType::kU8, .shape = {4}}};
  return odd;
}

Sha256 sha256_of(std::string_view content) {
  Sha256Hasher hasher;
  hasher.update(as_bytes(content));
  return hasher.digest();
}

void add_files(archive::Index& index) {
  index.files = {{.path = "config.json", .kind = FileKind::kEmbedded, .executable = true},
                 {.path = "empty", .kind = FileKind::kEmptyDirectory},
                 {.path = "merges.txt", .kind = FileKind::kPatch, .base_file = 0},
                 make_model(),
                 {.path = "notes.txt", .kind = FileKind::kStored},
                 make_odd(),
                 {.path = "same.txt", .kind = FileKind::kReference, .base_file = 1},
                 {.path = "tokens.bin", .kind = FileKind::kStored},
                 {.path = "version.txt", .kind = FileKind::kEmbedded}};
  const std::map<std::string, std::string> contents = fine_tune_files();
  for (File& file : index.files) {
    if (file.kind == FileKind::kEmptyDirectory) continue;
    const std::string& content = contents.at(file.path);
    file.size = content.size();
    file.sha256 = sha256_of(content);
  }
}

File& model_of(archive::Index& index) {
  return *std::ranges::find(index.files, "model.safetensors", &File::path);
}

void set_chunk(Parts& parts, size_t chunk, uint8_t coder, std::string stored,
               std::string_view result) {
  parts.index.chunks[chunk].coder = coder;
  parts.index.chunks[chunk].result_hash = xxh3_128(as_bytes(result));
  parts.set_stored(chunk, std::move(stored));
}

std::string prediction_of(const TestTensor& tensor, const TestTensor& base) {
  std::string out(tensor.bytes.size(), '\0');
  const ByteRange range =
      base_range(base.dtype, base.bytes.size(), 0, tensor.bytes.size() / dtype_unit(tensor.dtype));
  predict_from_base(base.dtype, as_bytes(base.bytes).first(range.size), tensor.dtype,
                    std::as_writable_bytes(std::span(out)));
  return out;
}

void set_planes(Parts& parts, size_t chunk, const TestTensor& tensor, const TestTensor& base) {
  const std::string prediction = prediction_of(tensor, base);
  CoderScratch scratch;
  std::vector<std::byte> stored;
  encode_planes(
      {.dtype = tensor.dtype, .value = as_bytes(tensor.bytes), .prediction = as_bytes(prediction)},
      scratch, stored);
  set_chunk(parts, chunk, kPlanesCoder.id, text_of(stored), tensor.bytes);
}

void add_tensor_chunks(Parts& parts) {
  const std::vector<TestTensor> base = base_tensors();
  const std::vector<TestTensor> model = model_tensors();
  set_planes(parts, kPlanesChunk, model[0], base[0]);
  set_chunk(parts, kSameChunk, 1, "", model[1].bytes);
  set_planes(parts, kCastChunk, model[2], base[2]);
  set_chunk(parts, kRawChunk, 0, model[3].bytes, model[3].bytes);
  set_planes(parts, kResizedChunk, model[5], base[3]);
  set_chunk(parts, kOddChunk, 0, "odd\n", "odd\n");
}

void add_side_chunks(Parts& parts) {
  const std::map<std::string, std::string> files = fine_tune_files();
  const std::string bundle = files.at("config.json") + files.at("version.txt");
  set_chunk(parts, kBundleChunk, 1, frame_of(bundle), bundle);
  const std::string merges = files.at("merges.txt");
  const std::string prefix = base_files().at("merges.txt");
  set_chunk(parts, kPatchChunk, 2, frame_of(merges, prefix), merges);
  parts.index.prefixes[kPatchChunk] = {.offset = 0, .size = prefix.size()};
  set_chunk(parts, kZstdChunk, 1, frame_of(files.at("notes.txt")), files.at("notes.txt"));
  set_chunk(parts, kSideRawChunk, 0, files.at("tokens.bin"), files.at("tokens.bin"));
}

}  // namespace

void Parts::set_stored(size_t chunk, std::string bytes) {
  index.chunks[chunk].size = static_cast<uint32_t>(bytes.size());
  index.chunks[chunk].stored_hash = xxh3_64(as_bytes(bytes));
  stored[chunk] = std::move(bytes);
}

void Parts::set_factors(std::string record) {
  archive::Tensor& tensor = low_rank_tensor();
  tensor.prediction = Prediction<uint32_t>::low_rank(1);
  tensor.factors = {.size = record.size(), .hash = xxh3_64(as_bytes(record))};
  factors = std::move(record);
}

archive::Tensor& Parts::low_rank_tensor() { return model_of(index).tensors[1]; }

void Parts::add_rest(uint8_t coder, std::string bytes, std::string_view result) {
  index.progressive = true;
  index.rest = {{.coder = coder, .result_hash = xxh3_128(as_bytes(result))}};
  set_rest(std::move(bytes));
  for (File& file : index.files) {
    if (file.kind == FileKind::kShard) file.original_sha256 = file.sha256;
  }
  File& file = model_of(index);
  std::string content = fine_tune_files().at(file.path);
  content.replace(low_rank_tensor().offset, result.size(), result);
  file.original_sha256 = sha256_of(content);
}

void Parts::set_rest(std::string bytes) {
  index.rest[0].size = static_cast<uint32_t>(bytes.size());
  index.rest[0].stored_hash = xxh3_64(as_bytes(bytes));
  index.rest_size = bytes.size();
  rest = std::move(bytes);
}

Parts sample_parts() {
  Parts parts;
  add_base(parts.index);
  add_files(parts.index);
  if (!archive::complete(parts.index) || archive::chunk_count(parts.index) != kSampleChunks) {
    throw std::logic_error("the sample's records are wrong");
  }
  parts.index.chunks.resize(kSampleChunks);
  parts.stored.resize(kSampleChunks);
  add_tensor_chunks(parts);
  add_side_chunks(parts);
  return parts;
}

std::string sample_base_tensor(std::string_view name) {
  const std::vector<TestTensor> tensors = base_tensors();
  return std::ranges::find(tensors, name, &TestTensor::name)->bytes;
}

std::string write_sample_base(const TempDir& dir) {
  for (const auto& [path, content] : base_files()) dir.write("base/" + path, content);
  dir.write("base/model.safetensors", make_safetensors(base_tensors()));
  return dir.path("base");
}

std::string body_of(const archive::Index& index) {
  const std::vector<std::byte> encoded = archive::encode_index(index);
  const Bytes stored = encoded;
  std::vector<std::byte> body(load<uint64_t>(stored.data() + sizeof(Hash128)));
  if (!ZstdDecoder().decompress(stored.subspan(sizeof(Hash128) + sizeof(uint64_t)), {}, body)) {
    throw std::logic_error("the index that was just written can't be read");
  }
  return text_of(body);
}

Regions regions_of(const Parts& parts) {
  Regions regions{
      .payload = {}, .side = {}, .body = body_of(parts.index), .version = parts.index.version()};
  for (size_t chunk = 0; chunk < kSampleChunks; ++chunk) {
    if (chunk == kSameChunk) regions.payload += parts.factors;
    (chunk < kBundleChunk ? regions.payload : regions.side) += parts.stored[chunk];
  }
  regions.payload += parts.rest;
  return regions;
}

std::string seal(const Regions& regions) {
  return seal_index(regions.payload, regions.side,
                    index_of_frame(frame_of(regions.body), regions.body.size()), regions.version);
}

std::string seal_index(std::string_view payload, std::string_view side, std::string_view index,
                       uint64_t version) {
  std::string out = archive::encode_layout({.version = version,
                                            .oldest_reader = version,
                                            .payload_size = payload.size(),
                                            .side_size = side.size(),
                                            .index_size = index.size()});
  return out.append(payload).append(side).append(index);
}

std::string index_of_frame(std::string_view frame, uint64_t body_size) {
  ByteWriter rest;
  rest.u64(body_size);
  rest.bytes(as_bytes(frame));
  return text_of(xxh3_128(rest.view()).bytes) + text_of(rest.view());
}

std::string frame_of(std::string_view data, std::string_view prefix) {
  std::vector<std::byte> frame;
  ZstdEncoder().compress(as_bytes(data), 3, as_bytes(prefix), frame);
  return text_of(frame);
}

std::string zeros_frame(std::string_view head, size_t size) {
  std::string frame = "\x28\xb5\x2f\xfd";
  frame += head;
  // One block, the last: `size` times the same byte.
  const auto block = static_cast<uint32_t>(size << 3 | 3);
  for (const int shift : {0, 8, 16}) frame += static_cast<char>(block >> shift);
  return frame + '\0';
}

std::string wide_frame(size_t size) { return zeros_frame({"\x00\x70", 2}, size); }

}  // namespace finedelta::corrupt
