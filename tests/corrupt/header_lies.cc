#include "archive/layout.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

constexpr std::string_view kDamaged = "damaged: ARCHIVE: the archive's header is damaged";

void replace(std::string& text, std::string_view old, std::string_view with) {
  text.replace(text.find(old), old.size(), with);
}

// The header's text without padding, and back again, with a hash that is right.
std::string text_of(const std::string& archive) {
  const std::string text = archive.substr(8, archive::kHeaderSlot - 8);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::string hash_of(std::string slot, size_t digits) {
  slot.replace(digits, 32, 32, '0');
  return to_hex(xxh3_128(as_bytes(slot)).bytes);
}

std::string slot_of(std::string text) {
  text.resize(archive::kHeaderSlot - 8, ' ');
  std::string slot("\xf8\x01\0\0\0\0\0\0", 8);
  slot += text;
  const std::string_view mark = R"("xxh3_128":")";
  const size_t digits = slot.find(mark) + mark.size();
  return slot.replace(digits, 32, hash_of(slot, digits));
}

const std::string& sound() {
  static const std::string archive = seal(regions_of(sample_parts()));
  return archive;
}

Lie respelled(std::string name, std::string_view old, std::string_view with,
              std::string_view error = kDamaged) {
  std::string text = text_of(sound());
  replace(text, old, with);
  return {.name = std::move(name),
          .archive = slot_of(std::move(text)) + sound().substr(archive::kHeaderSlot),
          .seen = Seen::kOpening,
          .error = std::string(error)};
}

// One byte of the header is another, and the hash is that of the original.
Lie overwritten(std::string name, size_t at, char with) {
  std::string archive = sound();
  archive[at] = with;
  return {.name = std::move(name),
          .archive = std::move(archive),
          .seen = Seen::kOpening,
          .error = std::string(kDamaged)};
}

Lie other_padding() {
  std::string slot = slot_of(text_of(sound()));
  const std::string_view mark = R"("xxh3_128":")";
  const size_t digits = slot.find(mark) + mark.size();
  slot.back() = '\t';
  slot.replace(digits, 32, hash_of(slot, digits));
  return {.name = "header_padding",
          .archive = slot + sound().substr(archive::kHeaderSlot),
          .seen = Seen::kOpening,
          .error = std::string(kDamaged)};
}

Lie upper_case_hash() {
  std::string archive = sound();
  const std::string_view mark = R"("xxh3_128":")";
  const size_t digits = archive.find(mark) + mark.size();
  for (size_t i = digits; i < digits + 32; ++i) {
    if (archive[i] >= 'a') archive[i] = static_cast<char>(archive[i] - 'a' + 'A');
  }
  return {.name = "header_upper_case_hash",
          .archive = std::move(archive),
          .seen = Seen::kOpening,
          .error = std::string(kDamaged)};
}

// A header of these sizes, and nothing behind it.
Lie lone_header(std::string name, const archive::Layout& layout, std::string_view error) {
  return {.name = std::move(name),
          .archive = archive::encode_layout(layout),
          .seen = Seen::kOpening,
          .error = std::string(error)};
}

}  // namespace

std::vector<Lie> header_lies() {
  constexpr uint64_t kHuge = uint64_t{1} << 60;
  return {
      respelled("header_leading_space", R"({"__metadata__")", R"( {"__metadata__")",
                "damaged: ARCHIVE is not a finedelta archive, or its beginning is damaged"),
      respelled("header_other_format", "finedelta\",\"version", "finealpha\",\"version",
                "damaged: ARCHIVE is not a finedelta archive, or its beginning is damaged"),
      respelled("header_inner_space", R"(,"finedelta.side")", R"(, "finedelta.side")"),
      respelled("header_duplicate_name", "finedelta.side", "finedelta.payload"),
      respelled("header_additional_tensor", R"(,"finedelta.side")",
                R"(,"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"finedelta.side")"),
      respelled("header_leading_zero", R"("shape":[)", R"("shape":[0)"),
      respelled("header_sign", R"("shape":[)", R"("shape":[+)"),
      respelled("header_number_missing", R"("shape":[)", R"("shape":[x)"),
      respelled("header_shape_twice", R"("data_offsets")", R"("shape":[0],"data_offsets")"),
      respelled("header_other_dtype", R"("dtype":"U8")", R"("dtype":"I8")"),
      respelled("header_other_offset", R"("data_offsets":[0,)", R"("data_offsets":[1,)"),
      respelled("header_escaped_name", "finedelta.side", "finedelta\\u002eside"),
      respelled("header_version_zeros", R"("version":"1")", R"("version":"01")"),
      respelled("header_version_sign", R"("version":"1")", R"("version":"-1")"),
      respelled("header_reader_zeros", R"("oldest_reader":"1")", R"("oldest_reader":"01")"),
      respelled("header_reader_overflows", R"("oldest_reader":"1")",
                R"("oldest_reader":"18446744073709551616")"),
      respelled("header_reader_above_version", R"("oldest_reader":"1")", R"("oldest_reader":"2")"),
      respelled("header_reader_0", R"("oldest_reader":"1")", R"("oldest_reader":"0")"),
      respelled("header_version_0", R"("version":"1","oldest_reader":"1")",
                R"("version":"0","oldest_reader":"0")",
                "usage: ARCHIVE is of archive format 0, which no release reads: unpack it with the "
                "finedelta that wrote it, and pack it again"),
      respelled("header_newer", R"("version":"1","oldest_reader":"1")",
                R"("version":"12","oldest_reader":"7")",
                "usage: ARCHIVE needs a finedelta that reads archive format 7, and this one reads "
                "up to 2: install a newer finedelta"),
      overwritten("header_wrong_hash", 8 + 90, 'x'),
      overwritten("header_length", 0, '\xf0'),
      overwritten("header_not_padded", archive::kHeaderSlot - 1, '\0'),
      other_padding(),
      upper_case_hash(),
      lone_header("file_too_short", {.payload_size = 5, .side_size = 6, .index_size = 7},
                  "damaged: ARCHIVE has 512 bytes where its header promises 530"),
      lone_header("file_impossibly_short", {.payload_size = kHuge, .index_size = kHuge},
                  "damaged: ARCHIVE has 512 bytes where its header promises 2305843009213694464"),
      lone_header("header_sizes_overflow",
                  {.payload_size = kHuge + 1, .side_size = ~uint64_t{0}, .index_size = 512},
                  kDamaged),
      lone_header("index_empty", {}, "damaged: ARCHIVE: the archive's index is damaged"),
  };
}

}  // namespace finedelta::corrupt
