// Reads the input as the parts of an archive, see archive_input.h, seals it with the right hashes
// of its stored bytes, and checks and unpacks it against a fixed base. Whatever comes of it, both
// must agree, and what is unpacked has the SHA-256 that the archive records.
#include <filesystem>
#include <span>
#include <string>

#include "archive/index.h"
#include "archive_input.h"
#include "base/file.h"
#include "base/file_hash.h"
#include "corrupt/sample.h"
#include "finedelta/unpack.h"
#include "support/scoped_env.h"
#include "support/temp_dir.h"

namespace {

using namespace finedelta;
using archive::FileKind;
using archive::Index;

constexpr uint64_t kLargestOutput = uint64_t{16} << 20;  // more would only take longer

struct Place {
  TempDir dir;
  ScopedEnv cache{"HF_HUB_CACHE", dir.path("cache").c_str()};
  std::string base = corrupt::write_sample_base(dir);
  std::string output = dir.path("out");
};

uint64_t output_size(const Index& index) {
  uint64_t total = 0;
  for (const archive::File& file : index.files) total += file.size;
  return total;
}

void repair_stored_hashes(Index& index, Bytes regions) {
  const auto hash = [&](uint64_t offset, uint64_t size) {
    return xxh3_64(regions.subspan(offset - archive::kHeaderSlot, size));
  };
  for (auto* const chunks : {&index.chunks, &index.rest}) {
    for (archive::Chunk& chunk : *chunks) chunk.stored_hash = hash(chunk.offset, chunk.size);
  }
  for (archive::File& file : index.files) {
    for (archive::Tensor& tensor : file.tensors) {
      archive::StoredFactors& factors = tensor.factors;
      if (factors.size > 0) factors.hash = hash(factors.offset, factors.size);
    }
  }
}

void check_refusal(const Error& error) {
  FUZZ_CHECK(error.code == ErrorCode::kDamaged || error.code == ErrorCode::kWrongBase ||
             error.code == ErrorCode::kFailure);
  check_message(error);
}

// Of a file as it is in so many layers.
const Sha256& recorded(const Index& index, const archive::File& file, unsigned layers) {
  const bool other = index.progressive && layers != 1 && file.kind == FileKind::kShard;
  return other ? file.original_sha256 : file.sha256;
}

void check_output(const Index& index, const std::string& output, unsigned layers) {
  for (const archive::File& file : index.files) {
    if (file.kind == FileKind::kEmptyDirectory) continue;
    const auto content =
        read_small_file(index.single_file ? output : output + "/" + file.path, kLargestOutput);
    FUZZ_CHECK(content.has_value() && content->size() == file.size);
    Sha256Hasher hasher;
    hasher.update(as_bytes(*content));
    FUZZ_CHECK(hasher.digest() == recorded(index, file, layers));
  }
}

// Whether so many layers come out; not where names are too much for the file system: one may be too
// long, or be the same as another one to it.
bool unpacks(const Index& index, const std::string& archive, const Place& place,
             UnpackOptions options, unsigned layers) {
  options.layers = layers;
  const auto unpacked = unpack({place.base}, archive, place.output, options);
  FUZZ_CHECK(std::filesystem::exists(place.output) == unpacked.has_value());
  if (unpacked) check_output(index, place.output, layers);
  std::filesystem::remove_all(place.output);
  return unpacked.has_value();
}

void check_archive(const Index& index, const std::string& archive, const Place& place) {
  UnpackOptions options;
  options.threads = 1;
  options.sha256 = true;
  const auto stored = verify(archive, {}, options);
  if (!stored) check_refusal(stored.error());
  FUZZ_CHECK(stored.has_value() || index.bases.empty());
  const auto rebuilt = verify(archive, {place.base}, options);
  if (!rebuilt) check_refusal(rebuilt.error());
  const bool all = unpacks(index, archive, place, options, 0);
  const bool first = unpacks(index, archive, place, options, 1);
  FUZZ_CHECK(rebuilt.has_value() || !all || !first);
}

void check(Bytes bytes) {
  static const Place place;
  const auto input = parse_input(bytes);
  if (!input || input->rest.size() < input->payload_size + input->side_size) return;
  const Bytes payload = input->rest.first(input->payload_size);
  const Bytes side = input->rest.subspan(payload.size(), input->side_size);
  const Bytes body = input->rest.subspan(payload.size() + side.size());
  const std::string claimed =
      corrupt::index_of_frame(corrupt::frame_of(as_text(body)), body.size());
  const archive::Layout layout = input_layout(payload.size(), side.size(), claimed.size());
  auto index = archive::decode_index(as_bytes(claimed), layout, kLeastMemory, "input");
  if (!index || output_size(*index) > kLargestOutput) return;
  repair_stored_hashes(*index, input->rest.first(payload.size() + side.size()));
  const std::vector<std::byte> repaired = archive::encode_index(*index);
  const std::string archive =
      place.dir.write("archive", corrupt::seal_index(as_text(payload), as_text(side),
                                                     as_text(repaired), layout.oldest_reader));
  check_archive(*index, archive, place);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check(std::as_bytes(std::span(data, size)));
  return 0;
}
