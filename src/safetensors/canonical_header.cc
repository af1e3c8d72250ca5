#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "safetensors/header.h"

namespace finedelta::safetensors {

namespace {

constexpr size_t kAlignment = 8;

// As serde_json writes it, with the escapes that JSON demands and no others.
void append_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  static constexpr std::string_view kLetters = "btnfr\"\\";
  out += '"';
  for (const char c : text) {
    if (const size_t i = kShort.find(c); i != std::string_view::npos) {
      out += '\\';
      out += kLetters[i];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

CanonicalHeader::CanonicalHeader(std::string_view metadata) {
  if (metadata.empty()) return;
  text_ += "\"__metadata__\":";
  text_ += metadata;
}

void CanonicalHeader::add(std::string_view name, DType dtype, std::span<const uint64_t> shape) {
  const uint64_t end = begin_ + tensor_bytes(dtype, shape).value_or(0);
  if (text_.size() > 1) text_ += ',';
  append_string(text_, name);
  fmt::format_to(std::back_inserter(text_),
                 R"(:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", dtype_name(dtype),
                 fmt::join(shape, ","), begin_, end);
  begin_ = end;
}

std::string CanonicalHeader::finish() {
  text_ += '}';
  text_.append((kAlignment - text_.size() % kAlignment) % kAlignment, ' ');
  return std::move(text_);
}

std::string canonical_header(std::string_view metadata, std::span<const Tensor> tensors) {
  CanonicalHeader header(metadata);
  for (const Tensor& tensor : tensors) header.add(tensor.name, tensor.dtype, tensor.shape);
  return header.finish();
}

std::vector<std::byte> file_start(std::string_view header) {
  std::vector<std::byte> start(kLengthSize + header.size());
  store(start.data(), uint64_t{header.size()});
  std::ranges::copy(as_bytes(header), start.begin() + kLengthSize);
  return start;
}

}  // namespace finedelta::safetensors
