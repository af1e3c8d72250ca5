#include "base/bytes.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

Lie lie(std::string name, size_t chunk, std::string stored, Seen seen, std::string_view error) {
  Parts parts = sample_parts();
  parts.set_stored(chunk, std::move(stored));
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE").append(error)};
}

// A chunk that does not decode.
Lie undecodable(std::string name, size_t chunk, std::string stored, std::string_view what,
                std::string_view why) {
  return lie(std::move(name), chunk, std::move(stored), Seen::kRebuilding,
             std::string(": ").append(what).append(" in the SIZE bytes at OFFSET: ").append(why));
}

std::string stored_of(size_t chunk) { return sample_parts().stored[chunk]; }

// Plane 0 of the chunk of 64 units, then three planes of zeros.
std::string first_plane(std::string plane) { return plane.append("\1\0\1\0\1\0", 6); }

std::string zstd_plane(const std::string& frame) {
  ByteWriter out;
  out.u8(2);
  out.string(frame);
  return std::string(as_text(out.view()));
}

Lie planes_lie(std::string name, std::string stored, std::string_view why) {
  return undecodable(std::move(name), kPlanesChunk, std::move(stored), "'a'", why);
}

Lie notes_lie(std::string name, std::string stored, std::string_view why) {
  return undecodable(std::move(name), kZstdChunk, std::move(stored), "'notes.txt'", why);
}

constexpr std::string_view kWide = "a zstd frame has a window over 8 MiB";
constexpr std::string_view kNoEnd = "a zstd frame does not end where it must";
constexpr std::string_view kNoFrame = "a zstd frame does not begin as it must";
constexpr std::string_view kOtherLength = "a zstd frame does not decompress to its promised length";
constexpr std::string_view kOtherContent = "it does not come out as it was packed";

std::vector<Lie> planes_lies() {
  const std::string sound = stored_of(kPlanesChunk);
  const std::string skippable("\x50\x2a\x4d\x18\0\0\0\0", 8);
  return {
      planes_lie("planes_bytes_behind", sound + '\0', "bytes are left behind the last plane"),
      planes_lie("planes_cut", sound.substr(0, sound.size() - 1), "it ends too early"),
      planes_lie("planes_unknown_mode", '\3' + sound.substr(1), "a plane has an unknown mode"),
      planes_lie("planes_frame_beyond", first_plane("\2\x7f"), "it ends too early"),
      planes_lie("planes_long_varint", first_plane(std::string("\2\x80\0", 3)),
                 "a number is not in its shortest form"),
      planes_lie("planes_empty_frame", first_plane(std::string("\2\0", 2)), kNoFrame),
      planes_lie("planes_wide_frame", first_plane(zstd_plane(wide_frame(64))), kWide),
      planes_lie("planes_short_frame", first_plane(zstd_plane(frame_of(std::string(63, 'x')))),
                 kOtherLength),
      planes_lie("planes_long_frame", first_plane(zstd_plane(frame_of(std::string(65, 'x')))),
                 kOtherLength),
      planes_lie("planes_skippable_frame", first_plane(zstd_plane(skippable)), kNoFrame),
      planes_lie("planes_frame_with_more",
                 first_plane(zstd_plane(frame_of(std::string(64, 'x')) + '\0')), kNoEnd),
      lie("planes_other_content", kPlanesChunk, first_plane(std::string("\1\0", 2)),
          Seen::kRebuilding, ": tensor 'a' does not come out as it was packed"),
      lie("raw_other_content", kRawChunk, "eight by", Seen::kRebuilding,
          ": tensor 'd' does not come out as it was packed"),
  };
}

std::vector<Lie> side_lies() {
  const std::string sound = stored_of(kZstdChunk);
  const std::string skippable("\x50\x2a\x4d\x18\0\0\0\0", 8);
  const std::string half = frame_of(std::string(kNotesSize / 2, 'x'));
  return {
      notes_lie("side_wide_frame", wide_frame(kNotesSize), kWide),
      notes_lie("side_byte_behind", sound + '\0', kNoEnd),
      notes_lie("side_frame_cut", sound.substr(0, sound.size() - 1), kNoEnd),
      notes_lie("side_two_frames", half + half, kNoEnd),
      notes_lie("side_skippable_before", skippable + sound, kNoFrame),
      notes_lie("side_skippable_behind", sound + skippable, kNoEnd),
      notes_lie("side_frame_short", frame_of(std::string(kNotesSize - 1, 'x')), kOtherLength),
      notes_lie("side_frame_long", frame_of(std::string(kNotesSize + 1, 'x')), kOtherLength),
      notes_lie("side_dictionary", zeros_frame({"\x01\x50\x07", 3}, kNotesSize), kNoFrame),
      notes_lie("side_no_dictionary", zeros_frame({"\x01\x50\x00", 3}, kNotesSize), kNoFrame),
      notes_lie("side_reserved_bit", zeros_frame({"\x08\x50", 2}, kNotesSize), kNoFrame),
      notes_lie("side_other_content_size", zeros_frame({"\x60\x59\x01", 3}, kNotesSize),
                kOtherLength),
      notes_lie("side_giant_content_size",
                zeros_frame({"\xc0\x50\x00\x00\x00\x00\x00\x00\x00\x40", 10}, kNotesSize),
                kOtherLength),
      notes_lie("side_no_frame", "no frame", kNoFrame),
      notes_lie("side_other_content", frame_of(std::string(kNotesSize, 'x')), kOtherContent),
      undecodable("patch_wide", kPatchChunk, wide_frame(205), "'merges.txt'", kWide),
      undecodable("patch_other_content", kPatchChunk, frame_of(std::string(205, 'x')),
                  "'merges.txt'", kOtherContent),
      undecodable("bundle_other_content", kBundleChunk, frame_of(std::string(92, 'x')),
                  "an embedded file", kOtherContent),
  };
}

Lie wrong_stored_hash(std::string name, size_t chunk) {
  Parts parts = sample_parts();
  parts.index.chunks[chunk].stored_hash ^= 1;
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kChecking,
          .error = "damaged: ARCHIVE: the SIZE bytes at OFFSET are damaged"};
}

Lie wrong_result_hash(std::string name, size_t chunk, std::string_view error) {
  Parts parts = sample_parts();
  parts.index.chunks[chunk].result_hash = {};
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kRebuilding,
          .error = std::string("damaged: ARCHIVE: ").append(error)};
}

std::vector<Lie> hash_lies() {
  return {
      wrong_stored_hash("tensor_stored_hash", kPlanesChunk),
      wrong_stored_hash("side_stored_hash", kPatchChunk),
      wrong_result_hash("tensor_result_hash", kSameChunk,
                        "tensor 'b' does not come out as it was packed"),
      wrong_result_hash("side_result_hash", kSideRawChunk,
                        "'tokens.bin' in the SIZE bytes at OFFSET: it does not come out as it was "
                        "packed"),
  };
}

// Allowed, but not what the chunk of "a" was made with.
Lie other_prediction(std::string name, const Prediction<uint32_t>& prediction) {
  Parts parts = sample_parts();
  for (archive::File& file : parts.index.files) {
    if (file.path == "model.safetensors") file.tensors[0].prediction = prediction;
  }
  return {.name = std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kRebuilding,
          .error = "damaged: ARCHIVE: tensor 'a' does not come out as it was packed"};
}

std::vector<Lie> prediction_lies() {
  using Predicted = Prediction<uint32_t>;
  return {
      other_prediction("scale_other", Predicted::scaled(0, 0.75f)),
      other_prediction("combination_other", Predicted::combination(0, 0, 0.5f, -0.25f)),
  };
}

}  // namespace

std::vector<Lie> stored_lies() {
  std::vector<Lie> lies;
  for (auto* group : {planes_lies, side_lies, hash_lies, prediction_lies}) {
    for (Lie& lie : group()) lies.push_back(std::move(lie));
  }
  return lies;
}

}  // namespace finedelta::corrupt
