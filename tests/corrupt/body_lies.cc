#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

using namespace std::string_literals;

constexpr std::string_view kPrefix = "damaged: ARCHIVE: the archive's index can't be read: ";

Lie opening_lie(std::string name, std::string archive, std::string_view error) {
  return {.name = std::move(name),
          .archive = std::move(archive),
          .seen = Seen::kOpening,
          .error = std::string(error)};
}

// An archive of this body alone, without payload and side files.
Lie lone(std::string name, std::string body, std::string_view why) {
  return opening_lie(std::move(name), seal({.payload = {}, .side = {}, .body = std::move(body)}),
                     std::string(kPrefix).append(why));
}

// Flags, chunk size, and no bases, base tensors, base files or tables.
const std::string kNoBases = "\0\x12\0\0\0\0"s;

// One shard "m" in canonical form without metadata, one tensor "t": its dtype comes next.
const std::string kTensor = kNoBases + "\1\1m\0\0\0\1\1t"s;

std::vector<Lie> record_lies() {
  const std::string hash(16, '\0');
  return {
      lone("body_empty", "it ends too early (at byte 0 of the body)",
           "it has unknown flags (at byte 1 of the body)"),
      lone("flags_unknown", "\2\x12"s, "it has unknown flags (at byte 1 of the body)"),
      lone("tables", "\0\x12\0\0\0\1\0"s,
           "it has tables, which this version does not know (at byte 6 of the body)"),
      lone("varint_padded", "\0\x12\x80\0"s,
           "a number is not in its shortest form (at byte 4 of the body)"),
      lone("varint_over_64_bits", "\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"s,
           "a number is not in its shortest form (at byte 12 of the body)"),
      lone("bases_without_end", "\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"s,
           "a count is larger than what follows (at byte 12 of the body)"),
      lone("base_tensors_without_end", "\0\x12\0\x80\x80\x80\x80\x80\x80\x80\x80\x40"s,
           "a count is larger than what follows (at byte 12 of the body)"),
      lone("base_files_without_end", "\0\x12\0\0\x80\x80\x80\x80\x10"s,
           "a count is larger than what follows (at byte 9 of the body)"),
      lone("files_without_end", kNoBases + "\x7f"s,
           "a count is larger than what follows (at byte 7 of the body)"),
      lone("tensors_without_end", kNoBases + "\1\1m\0\0\0\xff\xff\xff\xff\x0f"s,
           "a count is larger than what follows (at byte 17 of the body)"),
      lone("file_kind_unknown", kNoBases + "\1\1m\6"s,
           "a file is of an unknown kind (at byte 10 of the body)"),
      lone("file_kind_high_bit", kNoBases + "\1\1m\x20\0\0\0"s,
           "a file is of an unknown kind (at byte 10 of the body)"),
      lone("header_form_unknown", kNoBases + "\1\1m\0\2\0\0"s,
           "a header has an unknown form (at byte 11 of the body)"),
      lone("header_too_long", kNoBases + "\1\1m\0\1\x81\xc2\xd7\x2f\0"s,
           "a text is too long (at byte 15 of the body)"),
      lone("dtype_unknown", kTensor + "\x16\0\0"s, "a dtype is unknown (at byte 16 of the body)"),
      lone("tensor_rank_255", kTensor + "\1\xff"s + std::string(300, '\1'),
           "a tensor has too many dimensions (at byte 17 of the body)"),
      lone("predictor_unknown", kTensor + "\1\0\x7f\0"s,
           "a predictor is unknown (at byte 18 of the body)"),
      lone("tensor_name_too_long", kNoBases + "\1\1m\0\0\0\1\x81\xc2\xd7\x2f"s + "n\1\0\0"s,
           "a text is too long (at byte 17 of the body)"),
      lone("tensor_name_beyond", kNoBases + "\1\1m\0\0\0\1\x7ft\1\0\0"s,
           "it ends too early (at byte 14 of the body)"),
      lone("chunks_missing", kTensor + "\1\1\x80\x80\x80\x80\x80\x80\x80\x20\0"s,
           "it has fewer chunks than its tensors need (at byte 26 of the body)"),
      lone("chunk_of_4_gib", kTensor + "\1\1\1\0"s + "\2"s + "\x80\x80\x80\x80\x10"s + hash,
           "its chunks are larger than the archive (at byte 25 of the body)"),
  };
}

Lie edited_body(std::string name, void (*edit)(std::string& body), std::string_view why) {
  Regions regions = regions_of(sample_parts());
  edit(regions.body);
  return opening_lie(std::move(name), seal(regions), std::string(kPrefix).append(why));
}

Lie framed(std::string name, std::string_view frame, uint64_t size, std::string_view error) {
  return opening_lie(std::move(name), seal_index({}, {}, index_of_frame(frame, size)), error);
}

Lie wrong_index_hash() {
  std::string index = index_of_frame(frame_of(kNoBases), kNoBases.size());
  index[3] = static_cast<char>(index[3] ^ 4);
  return opening_lie("index_hash", seal_index({}, {}, index),
                     "damaged: ARCHIVE: the archive's index is damaged");
}

std::vector<Lie> frame_lies() {
  const std::string frame = frame_of(kNoBases + '\0');
  const uint64_t size = kNoBases.size() + 1;
  constexpr uint64_t kHuge = uint64_t{1} << 62;
  return {
      edited_body(
          "body_byte_behind", [](std::string& body) { body += '\0'; },
          "bytes are left behind its end (at byte 976 of the body)"),
      edited_body(
          "body_cut", [](std::string& body) { body.pop_back(); },
          "it ends too early (at byte 944 of the body)"),
      wrong_index_hash(),
      opening_lie("index_without_body_length", seal_index({}, {}, std::string(23, 'x')),
                  "damaged: ARCHIVE: the archive's index is damaged"),
      framed("index_without_frame",
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not begin as "
             "it must",
             0,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not begin as "
             "it must"),
      framed("index_no_frame", "no frame", 8,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not begin as "
             "it must"),
      framed("index_byte_behind", frame + '\0', size,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not end where "
             "it must"),
      framed("index_two_frames", frame + frame, 2 * size,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not end where "
             "it must"),
      framed("index_frame_cut", frame.substr(0, frame.size() - 1), size,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not end where "
             "it must"),
      framed("index_frame_short", frame, size + 1,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not "
             "decompress to its promised length"),
      framed("index_frame_long", frame, size - 1,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame does not "
             "decompress to its promised length"),
      framed("index_frame_wide", wide_frame(size), size,
             "damaged: ARCHIVE: the archive's index can't be read: a zstd frame has a window over "
             "8 MiB"),
      framed("index_larger_than_frame", frame, uint64_t{100} << 20,
             "damaged: ARCHIVE: the archive's index says it is impossibly large"),
      framed("index_impossibly_large", frame, kHuge,
             "damaged: ARCHIVE: the archive's index says it is impossibly large"),
  };
}

}  // namespace

std::vector<Lie> body_lies() {
  std::vector<Lie> lies;
  for (auto* group : {record_lies, frame_lies}) {
    for (Lie& lie : group()) lies.push_back(std::move(lie));
  }
  return lies;
}

std::vector<Lie> all_lies() {
  std::vector<Lie> lies;
  for (auto* group : {header_lies, index_lies, body_lies, stored_lies, wavelet_lies, low_rank_lies,
                      lossy_lies, progressive_lies, sparse_lies, steps_lies}) {
    for (Lie& lie : group()) lies.push_back(std::move(lie));
  }
  return lies;
}

}  // namespace finedelta::corrupt
