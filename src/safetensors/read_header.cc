#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "safetensors/header.h"

namespace finedelta::safetensors {

namespace {

// The length of the header, known to lie within the file and the limits.
Result<uint64_t> read_length(const InputFile& file) {
  if (file.size() < kLengthSize) {
    return fail(ErrorCode::kDamaged, "{} is too short for a safetensors file: it has {} bytes",
                quote(file.path()), file.size());
  }
  std::array<std::byte, kLengthSize> field{};
  FINEDELTA_CHECK(file.read(0, field));
  const auto length = load<uint64_t>(field.data());
  if (length > kLargestHeader) {
    return fail(ErrorCode::kDamaged,
                "{} is not a safetensors file: it begins with a header length of {} bytes, and at "
                "most {} are possible",
                quote(file.path()), length, kLargestHeader);
  }
  if (length > file.size() - kLengthSize) {
    return fail(ErrorCode::kDamaged,
                "{} is cut off or not a safetensors file: it begins with a header length of {} "
                "bytes, but only {} follow",
                quote(file.path()), length, file.size() - kLengthSize);
  }
  return length;
}

}  // namespace

Result<Header> read_header(const InputFile& file) {
  FINEDELTA_ASSIGN(const uint64_t length, read_length(file));
  std::string json(length, '\0');
  FINEDELTA_CHECK(file.read(kLengthSize, std::as_writable_bytes(std::span(json))));
  return parse_header(std::move(json), file.size() - kLengthSize - length, file.path());
}

}  // namespace finedelta::safetensors
