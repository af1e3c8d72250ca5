#include <functional>
#include <limits>

#include "archive/index.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

using archive::FileKind;
using archive::Index;

constexpr std::string_view kPrefix = "damaged: ARCHIVE: the archive's index can't be read: ";

// Files of the sample.
enum SampleFile : size_t { kConfig, kEmpty, kMerges, kModel, kNotes, kOdd, kReferred, kTokens };

Lie lie(std::string name, const std::function<void(Index&)>& change, std::string_view error) {
  Parts parts = sample_parts();
  change(parts.index);
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kOpening,
          .error = std::string(kPrefix).append(error)};
}

Lie path_lie(std::string name, size_t file, std::string path, std::string_view error) {
  return lie(std::move(name), [&](Index& i) { i.files[file].path = std::move(path); }, error);
}

// A chunk of another coder, with stored bytes of this size.
Lie chunk_lie(std::string name, size_t chunk, uint8_t coder, size_t size, std::string_view error) {
  Parts parts = sample_parts();
  parts.index.chunks[chunk].coder = coder;
  parts.set_stored(chunk, std::string(size, 'x'));
  if (chunk >= kBundleChunk && coder == 2) parts.index.prefixes[chunk] = {};
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kOpening,
          .error = std::string(kPrefix).append(error)};
}

Lie shape_lie(std::string name, DType dtype, std::vector<uint64_t> shape, std::string_view error) {
  return lie(
      std::move(name),
      [&](Index& i) {
        i.files[kModel].tensors[3].dtype = dtype;
        i.files[kModel].tensors[3].shape = std::move(shape);
      },
      error);
}

Lie prefix_lie(std::string name, archive::Prefix prefix, std::string_view error) {
  return lie(std::move(name), [&](Index& i) { i.prefixes[kPatchChunk] = prefix; }, error);
}

void fit_identities(Index& index) {
  const std::vector<Hash128> identities = archive::base_identities(index);
  for (size_t i = 0; i < identities.size(); ++i) index.bases[i].identity = identities[i];
}

std::vector<Lie> general_lies() {
  return {
      lie(
          "chunk_size_below", [](Index& i) { i.chunk_log2 = 11; },
          "its chunk size is out of range (at byte 2 of the body)"),
      lie(
          "chunk_size_above", [](Index& i) { i.chunk_log2 = 21; },
          "its chunk size is out of range (at byte 2 of the body)"),
      lie(
          "single_file_of_many", [](Index& i) { i.single_file = true; },
          "a single file is not one shard"),
      lie(
          "single_file_no_shard",
          [](Index& i) {
            i = {.single_file = true};
            i.files = {{.path = "x", .kind = FileKind::kEmbedded}};
          },
          "a single file is not one shard"),
      lie(
          "single_file_in_folder",
          [](Index& i) {
            i = {.single_file = true};
            i.files = {{.path = "x/y", .kind = FileKind::kShard, .canonical_header = true}};
          },
          "a single file is not one shard"),
  };
}

std::vector<Lie> base_lies() {
  return {
      lie(
          "base_name_too_long", [](Index& i) { i.bases[0].name.assign(513, 'n'); },
          "a text is too long (at byte 5 of the body)"),
      lie(
          "base_revision_too_long", [](Index& i) { i.bases[0].revision.assign(513, 'n'); },
          "a text is too long (at byte 14 of the body)"),
      lie(
          "base_identity", [](Index& i) { i.bases[0].identity = {}; },
          "the identity of a base does not fit its tensors"),
      lie(
          "base_fingerprint", [](Index& i) { i.base_tensors[2].fingerprint = {}; },
          "the identity of a base does not fit its tensors"),
      lie(
          "base_unused",
          [](Index& i) {
            i.bases.push_back({});
            fit_identities(i);
          },
          "it records a base that nothing uses"),
      lie(
          "base_of_base_tensor", [](Index& i) { i.base_tensors[3].base = 1; },
          "it names a record that is not there (at byte 54 of the body)"),
      lie(
          "base_of_base_file", [](Index& i) { i.base_files[1].base = 1; },
          "it names a record that is not there (at byte 188 of the body)"),
      lie(
          "base_tensor_unused",
          [](Index& i) {
            i.base_tensors.push_back(i.base_tensors[0]);
            fit_identities(i);
          },
          "it records a base that nothing uses"),
      lie(
          "base_file_unused", [](Index& i) { i.base_files.push_back(i.base_files[0]); },
          "it records a base that nothing uses"),
      lie(
          "base_file_path", [](Index& i) { i.base_files[0].path = "../x"; },
          "'../x' would be written outside the output directory"),
      lie(
          "base_tensor_other_shape", [](Index& i) { i.base_tensors[1].shape = {2, 9}; },
          "a tensor can't be predicted from its base tensor (at byte 304 of the body)"),
      lie(
          "base_tensor_other_rank", [](Index& i) { i.base_tensors[1].shape = {16}; },
          "a tensor can't be predicted from its base tensor (at byte 303 of the body)"),
      lie(
          "base_tensor_other_dtype", [](Index& i) { i.base_tensors[0].dtype = DType::kI32; },
          "a tensor can't be predicted from its base tensor (at byte 296 of the body)"),
      lie(
          "base_tensor_overflows", [](Index& i) { i.base_tensors[3].shape[0] = uint64_t{1} << 62; },
          "a base tensor has an impossible shape (at byte 68 of the body)"),
      lie(
          "base_file_impossibly_large", [](Index& i) { i.base_files[1].size = ~uint64_t{0}; },
          "a base file is impossibly large (at byte 207 of the body)"),
  };
}

std::vector<Lie> path_lies() {
  return {
      path_lie("path_empty", kConfig, "", "a file has an empty path"),
      path_lie("path_absolute", kConfig, "/etc/passwd",
               "'/etc/passwd' would be written outside the output directory"),
      path_lie("path_up", kConfig, "../config.json",
               "'../config.json' would be written outside the output directory"),
      path_lie("path_up_inside", kConfig, "a/../../b",
               "'a/../../b' would be written outside the output directory"),
      path_lie("path_dot", kConfig, "a/./b", "'a/./b' has a part '.'"),
      path_lie("path_slash_behind", kConfig, "config/", "'config/' has an empty part"),
      path_lie("path_two_slashes", kConfig, "a//b", "'a//b' has an empty part"),
      path_lie("path_nul", kConfig, std::string("config\0json", 11),
               "'config\\x00json' has a NUL byte in it"),
      path_lie("path_part_too_long", kConfig, std::string(256, 'a'),
               "'" + std::string(200, 'a') +
                   "...' has a part of 256 bytes, more than the 255 that it may have"),
      path_lie(
          "path_too_long", kConfig,
          [] {
            std::string path;
            while (path.size() < 4096) path += "a/";
            return path + 'a';
          }(),
          "a text is too long (at byte 218 of the body)"),
      path_lie("path_out_of_order", kTokens, "aaa", "path 'aaa' is out of order"),
      path_lie("path_twice", kTokens, "same.txt", "path 'same.txt' is out of order"),
      path_lie("path_below_directory", kMerges, "empty/x", "path 'empty/x' leads through a file"),
      path_lie("path_below_file", kTokens, "same.txt/x/y",
               "path 'same.txt/x/y' leads through a file"),
      lie(
          "path_below_file_further_on",
          [](Index& i) {
            i.files[kNotes].path = "model.safetensors-x";
            i.files[kOdd].path = "model.safetensors/x";
          },
          "path 'model.safetensors/x' leads through a file"),
  };
}

std::vector<Lie> file_lies() {
  return {
      lie(
          "directory_executable", [](Index& i) { i.files[kEmpty].executable = true; },
          "a file is of an unknown kind (at byte 237 of the body)"),
      lie(
          "embedded_too_large", [](Index& i) { i.files[kConfig].size = 16384; },
          "an embedded file is too large (at byte 232 of the body)"),
      lie(
          "stored_size_overflows", [](Index& i) { i.files[kNotes].size = ~uint64_t{0}; },
          "file 'notes.txt' is impossibly large"),
      lie(
          "stored_larger_than_chunks", [](Index& i) { i.files[kNotes].size = uint64_t{1} << 61; },
          "it has fewer chunks than its tensors need (at byte 472 of the body)"),
      lie(
          "sizes_overflow",
          [](Index& i) {
            i.files[kNotes].size = uint64_t{1} << 62;
            i.files[kTokens].size = uint64_t{1} << 62;
          },
          "file 'notes.txt' is impossibly large"),
      lie(
          "patch_base_file", [](Index& i) { i.files[kMerges].base_file = 2; },
          "it names a record that is not there (at byte 252 of the body)"),
      lie(
          "reference_base_file", [](Index& i) { i.files[kReferred].base_file = 2; },
          "it names a record that is not there (at byte 438 of the body)"),
      lie(
          "tensor_name_twice", [](Index& i) { i.files[kModel].tensors[4].name = "a"; },
          "two tensors of a shard have the same name (at byte 324 of the body)"),
      lie(
          "tensor_base_tensor",
          [](Index& i) { i.files[kModel].tensors[0].prediction = Prediction<uint32_t>::base(4); },
          "it names a record that is not there (at byte 296 of the body)"),
      shape_lie("tensor_rank", DType::kU8, std::vector<uint64_t>(65, 1),
                "a tensor has too many dimensions (at byte 315 of the body)"),
      shape_lie("tensor_half_byte", DType::kF4, {3}, "tensor 'd' has an impossible shape"),
      shape_lie("tensor_shape_overflows", DType::kU8, {uint64_t{1} << 63, uint64_t{1} << 63},
                "tensor 'd' has an impossible shape"),
      shape_lie("tensor_empty_but_overflows", DType::kU8, {0, ~uint64_t{0}, 2},
                "tensor 'd' has an impossible shape"),
      shape_lie("tensor_of_2_to_the_63", DType::kF32, {uint64_t{1} << 61},
                "tensor 'd' has an impossible shape"),
      shape_lie("tensor_over_the_total", DType::kU8, {(uint64_t{1} << 62) + 1},
                "file 'model.safetensors' is impossibly large"),
      shape_lie("tensor_giant", DType::kU8, {uint64_t{1} << 61},
                "it has fewer chunks than its tensors need (at byte 473 of the body)"),
      shape_lie("tensor_of_more_chunks", DType::kU8, {uint64_t{4} << 18},
                "its chunks are larger than the archive (at byte 490 of the body)"),
  };
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Another prediction of a tensor of the model.
Lie prediction_lie(std::string name, size_t tensor, const Prediction<uint32_t>& prediction,
                   std::string_view error) {
  return lie(
      std::move(name), [&](Index& i) { i.files[kModel].tensors[tensor].prediction = prediction; },
      error);
}

std::vector<Lie> prediction_lies() {
  using Predicted = Prediction<uint32_t>;
  constexpr std::string_view kFactor =
      "a predictor has a factor that it may not have (at byte 300 of the body)";
  constexpr std::string_view kFactors =
      "a predictor has a factor that it may not have (at byte 305 of the body)";
  return {
      prediction_lie("scale_below", 0, Predicted::scaled(0, 0x1.fffffep-2f), kFactor),
      prediction_lie("scale_above", 0, Predicted::scaled(0, 2), kFactor),
      prediction_lie("scale_negative", 0, Predicted::scaled(0, -1), kFactor),
      prediction_lie("scale_infinite", 0, Predicted::scaled(0, kInfinity), kFactor),
      prediction_lie("scale_nan", 0, Predicted::scaled(0, kNan), kFactor),
      prediction_lie("scale_of_integers", 5, Predicted::scaled(3, 1),
                     "a tensor can't be predicted from its base tensor (at byte 336 of the body)"),
      prediction_lie("scale_of_no_base_tensor", 0, Predicted::scaled(4, 1),
                     "it names a record that is not there (at byte 296 of the body)"),
      prediction_lie("combination_by_zero", 0, Predicted::combination(0, 0, 1, 0), kFactors),
      prediction_lie("combination_by_subnormal", 0, Predicted::combination(0, 0, 1e-40f, 1),
                     kFactors),
      prediction_lie("combination_by_too_little", 0,
                     Predicted::combination(0, 0, 0x1.fffffep-17f, 1), kFactors),
      prediction_lie("combination_by_too_much", 0, Predicted::combination(0, 0, -0x1.000002p2f, 1),
                     kFactors),
      prediction_lie("combination_by_infinity", 0, Predicted::combination(0, 0, 1, kInfinity),
                     kFactors),
      prediction_lie("combination_by_nan", 0, Predicted::combination(0, 0, kNan, 1), kFactors),
      prediction_lie("combination_of_other_shape", 0, Predicted::combination(0, 2, 1, 1),
                     "a tensor can't be predicted from its base tensor (at byte 305 of the body)"),
      prediction_lie("combination_of_integers", 5, Predicted::combination(3, 3, 1, 1),
                     "a tensor can't be predicted from its base tensor (at byte 341 of the body)"),
      prediction_lie("combination_of_no_second", 0, Predicted::combination(0, 4, 1, 1),
                     "it names a record that is not there (at byte 297 of the body)"),
  };
}

std::vector<Lie> chunk_lies() {
  return {
      chunk_lie("coder_unknown", kRawChunk, 200, 8, "a coder is unknown"),
      chunk_lie("coder_of_side_unknown", kZstdChunk, 3, 20, "a coder is unknown"),
      chunk_lie("patch_in_bundle", kBundleChunk, 2, 20, "a patch belongs to no patched file"),
      chunk_lie("patch_in_stored_file", kSideRawChunk, 2, 20, "a patch belongs to no patched file"),
      chunk_lie("raw_shorter", kRawChunk, 0, 7, "a chunk has a size that its coder does not allow"),
      chunk_lie("raw_longer", kRawChunk, 0, 9, "a chunk has a size that its coder does not allow"),
      chunk_lie("identical_with_bytes", kRawChunk, 1, 8,
                "a chunk has a size that its coder does not allow"),
      chunk_lie("planes_without_bytes", kSameChunk, 2, 0,
                "a chunk has a size that its coder does not allow"),
      chunk_lie("planes_not_smaller", kPlanesChunk, 2, 256,
                "a chunk has a size that its coder does not allow"),
      chunk_lie("side_raw_shorter", kSideRawChunk, 0, 23,
                "a chunk has a size that its coder does not allow"),
      chunk_lie("side_zstd_without_bytes", kZstdChunk, 1, 0,
                "a chunk has a size that its coder does not allow"),
      chunk_lie("side_zstd_not_smaller", kSideRawChunk, 1, 24,
                "a chunk has a size that its coder does not allow"),
      lie(
          "chunk_beyond_archive", [](Index& i) { i.chunks[kSideRawChunk].size = ~uint32_t{0}; },
          "its chunks are larger than the archive (at byte 489 of the body)"),
      lie(
          "payload_not_filled",
          [](Index& i) {
            --i.chunks[kPlanesChunk].size;
            ++i.chunks[kBundleChunk].size;
          },
          "its chunks do not fill the payload (at byte 481 of the body)"),
      lie(
          "payload_overfilled",
          [](Index& i) {
            ++i.chunks[kPlanesChunk].size;
            --i.chunks[kBundleChunk].size;
          },
          "its chunks do not fill the payload (at byte 481 of the body)"),
      lie(
          "side_not_filled", [](Index& i) { --i.chunks[kZstdChunk].size; },
          "its chunks do not fill the archive (at byte 485 of the body)"),
      lie(
          "payload_without_tensors",
          [](Index& i) {
            i = {};
            i.files = {{.path = "x", .kind = FileKind::kEmptyDirectory}};
          },
          "its chunks do not fill the payload (at byte 10 of the body)"),
      prefix_lie("prefix_begins_outside", {.offset = 201, .size = 0},
                 "a patch leaves its base file"),
      prefix_lie("prefix_ends_outside", {.offset = 1, .size = 200}, "a patch leaves its base file"),
      prefix_lie("prefix_overflows", {.offset = 200, .size = ~uint64_t{0}},
                 "a patch leaves its base file"),
      lie(
          "prefix_too_long",
          [](Index& i) {
            i.base_files[0].size = uint64_t{8} << 20;
            i.prefixes[kPatchChunk] = {.offset = 0, .size = (uint64_t{4} << 20) + 1};
          },
          "a patch leaves its base file"),
  };
}

}  // namespace

std::vector<Lie> index_lies() {
  std::vector<Lie> lies;
  for (auto* group : {general_lies, base_lies, path_lies, file_lies, prediction_lies, chunk_lies}) {
    for (Lie& lie : group()) lies.push_back(std::move(lie));
  }
  return lies;
}

}  // namespace finedelta::corrupt
