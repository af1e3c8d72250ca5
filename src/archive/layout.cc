#include "archive/layout.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "safetensors/header.h"

namespace finedelta::archive {

namespace {

using safetensors::kLengthSize;

constexpr std::string_view kStart = R"({"__metadata__":{"format":"finedelta","version":")";
constexpr std::string_view kOldestReader = R"(","oldest_reader":")";
constexpr std::string_view kHash = R"(","xxh3_128":")";
constexpr size_t kHashDigits = 32;

// The limit on each part keeps every sum of them far from overflow.
constexpr uint64_t kLargestPart = uint64_t{1} << 60;

std::string encode_with_hash(const Layout& layout, std::string_view hash) {
  const uint64_t payload = layout.payload_size;
  const uint64_t side = payload + layout.side_size;
  const uint64_t index = side + layout.index_size;
  const std::string tensors = fmt::format(
      R"("finedelta.payload":{{"dtype":"U8","shape":[{}],"data_offsets":[0,{}]}},)"
      R"("finedelta.side":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}},)"
      R"("finedelta.index":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})",
      payload, payload, layout.side_size, payload, side, layout.index_size, side, index);
  std::string slot(kLengthSize, '\0');
  store(reinterpret_cast<std::byte*>(slot.data()), kHeaderSlot - kLengthSize);
  slot += fmt::format("{}{}{}{}{}{}\"}},{}}}", kStart, layout.version, kOldestReader,
                      layout.oldest_reader, kHash, hash, tensors);
  slot.resize(kHeaderSlot, ' ');
  return slot;
}

// Takes a decimal number from the front of `text`.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// Skips to just behind the next `mark`.
bool skip_past(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return false;
  text.remove_prefix(at + mark.size());
  return true;
}

// What the header claims; whether it is right is found by writing it anew. Each takes its part from
// the front of `text`, the first from what is behind kStart, and fails where it is not there.
bool take_versions(std::string_view& text, Layout& layout) {
  const auto version = take_number(text);
  if (!version || !text.starts_with(kOldestReader)) return false;
  text.remove_prefix(kOldestReader.size());
  const auto oldest = take_number(text);
  if (!oldest || *oldest > *version || (*oldest == 0) != (*version == 0)) return false;
  layout.version = *version;
  layout.oldest_reader = *oldest;
  return true;
}

bool take_sizes(std::string_view& text, Layout& layout) {
  for (uint64_t* size : {&layout.payload_size, &layout.side_size, &layout.index_size}) {
    if (!skip_past(text, R"("shape":[)")) return false;
    const auto number = take_number(text);
    if (!number || *number > kLargestPart) return false;
    *size = *number;
  }
  return true;
}

// Whether this reader knows the version that `layout` asks for.
Status check_versions(const Layout& layout, const std::string& path) {
  if (layout.version == 0) {
    return fail(ErrorCode::kUsage,
                "{} is of archive format 0, which no release reads: unpack it with the finedelta "
                "that wrote it, and pack it again",
                quote(path));
  }
  if (layout.oldest_reader > kFormatVersion) {
    return fail(ErrorCode::kUsage,
                "{} needs a finedelta that reads archive format {}, and this one reads up to {}: "
                "install a newer finedelta",
                quote(path), layout.oldest_reader, kFormatVersion);
  }
  return {};
}

Result<std::string> read_start(const InputFile& file, uint64_t size) {
  std::string start(size, '\0');
  FINEDELTA_CHECK(file.read(0, std::as_writable_bytes(std::span(start))));
  return start;
}

}  // namespace

std::string encode_layout(const Layout& layout) {
  const std::string unhashed = encode_with_hash(layout, std::string(kHashDigits, '0'));
  return encode_with_hash(layout, to_hex(xxh3_128(as_bytes(unhashed)).bytes));
}

bool looks_like_archive(const InputFile& file) {
  const uint64_t size = kLengthSize + kStart.size();
  if (file.size() < size) return false;
  const auto start = read_start(file, size);
  return start && start->ends_with(kStart);
}

Result<Layout> read_layout(const InputFile& file) {
  if (!looks_like_archive(file)) {
    return fail(ErrorCode::kDamaged, "{} is not a finedelta archive, or its beginning is damaged",
                quote(file.path()));
  }
  FINEDELTA_ASSIGN(const std::string slot, read_start(file, kHeaderSlot));
  std::string_view text = std::string_view(slot).substr(kLengthSize + kStart.size());
  Layout layout;
  const bool has_versions = take_versions(text, layout);
  if (has_versions) FINEDELTA_CHECK(check_versions(layout, file.path()));
  if (!has_versions || !take_sizes(text, layout) || encode_layout(layout) != slot) {
    return fail(ErrorCode::kDamaged, "{}: the archive's header is damaged", quote(file.path()));
  }
  if (file.size() != layout.file_size()) {
    return fail(ErrorCode::kDamaged, "{} has {} bytes where its header promises {}",
                quote(file.path()), file.size(), layout.file_size());
  }
  return layout;
}

}  // namespace finedelta::archive
