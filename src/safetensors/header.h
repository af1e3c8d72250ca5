// The header of a safetensors file: 8 bytes of length (little-endian), then that many bytes of
// JSON, then the data of the tensors without gaps.
// Format: https://github.com/huggingface/safetensors (README, "Format").
#ifndef FINEDELTA_SAFETENSORS_HEADER_H_
#define FINEDELTA_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"

namespace finedelta::safetensors {

// The length field in front of the header.
inline constexpr uint64_t kLengthSize = 8;

// The largest header that the reference implementation reads.
inline constexpr uint64_t kLargestHeader = 100'000'000;

// The most dimensions of a tensor.
inline constexpr uint64_t kLargestRank = 64;

struct Tensor {
  std::string name;
  DType dtype = DType::kU8;
  std::vector<uint64_t> shape;  // empty: a scalar
  uint64_t begin = 0;           // byte range of the data, counted from the end of the header
  uint64_t end = 0;
  bool operator==(const Tensor&) const = default;
};

struct Header {
  std::string json;             // the header's bytes as they are in the file, padding included
  std::string metadata;         // the value of "__metadata__" as written in `json`; empty: none
  std::vector<Tensor> tensors;  // in order of their data; empty tensors in order of the JSON

  // Where the data begins in the file.
  [[nodiscard]] uint64_t data_offset() const { return kLengthSize + json.size(); }
};

// Bytes that a tensor of this type and shape takes; nothing where that is not a whole number of
// bytes or over 2^63 - 1. A dimension of 0 makes it 0 bytes, but the bytes without that dimension
// must still stay within 2^63 - 1, so that every product of dimensions fits 64 bits.
[[nodiscard]] std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> shape);

// Reads `json` strictly: UTF-8, one JSON object that starts with '{' and is followed by nothing but
// spaces; no duplicate name; known dtypes; "data_offsets" that agree with dtype and shape and cover
// `data_size` bytes without gap or overlap; "__metadata__" an object of strings. Otherwise kDamaged
// with `where`, the tensor where there is one, and the byte offset in the file. Never recursive;
// takes at most about ten times the memory of `json`, whatever the numbers in it.
Result<Header> parse_header(std::string json, uint64_t data_size, std::string_view where);

// Reads and parses the header of a file: at most kLargestHeader bytes.
Result<Header> read_header(const InputFile& file);

// Puts together, piece by piece, what `canonical_header` below describes.
class CanonicalHeader {
 public:
  explicit CanonicalHeader(std::string_view metadata);
  void add(std::string_view name, DType dtype, std::span<const uint64_t> shape);
  [[nodiscard]] size_t size() const { return text_.size(); }  // so far
  [[nodiscard]] std::string finish();                         // once, at the end

 private:
  std::string text_ = "{";
  uint64_t begin_ = 0;  // of the next tensor
};

// The header as the reference implementation writes it: "__metadata__" first (where `metadata` is
// not empty), then the tensors in the given order as
// "NAME":{"dtype":"T","shape":[A,B],"data_offsets":[B,E]}, no white space, padded with spaces to a
// multiple of 8 bytes. Names are written as they are, with only '"', '\' and control characters
// escaped. `begin` and `end` of the tensors are ignored: the offsets follow from order and size.
[[nodiscard]] std::string canonical_header(std::string_view metadata,
                                           std::span<const Tensor> tensors);

// What a file has before its tensors' data: the length of the header, and the header.
[[nodiscard]] std::vector<std::byte> file_start(std::string_view header);

}  // namespace finedelta::safetensors

#endif  // FINEDELTA_SAFETENSORS_HEADER_H_
