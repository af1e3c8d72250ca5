#include <fmt/ranges.h>

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

std::string canonical_header(std::string_view metadata, std::span<const Tensor> tensors) {
  std::string out = "{";
  if (!metadata.empty()) {
    out += "\"__metadata__\":";
    out += metadata;
  }
  uint64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    const uint64_t end = begin + tensor_bytes(tensor.dtype, tensor.shape).value_or(0);
    if (out.size() > 1) out += ',';
    append_string(out, tensor.name);
    fmt::format_to(std::back_inserter(out),
                   R"(:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                   dtype_name(tensor.dtype), fmt::join(tensor.shape, ","), begin, end);
    begin = end;
  }
  out += '}';
  out.append((kAlignment - out.size() % kAlignment) % kAlignment, ' ');
  return out;
}

}  // namespace finedelta::safetensors
