// Bytes in memory: views, and the only place where integers are packed into them.
#ifndef FINEDELTA_BASE_BYTES_H_
#define FINEDELTA_BASE_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "finedelta/result.h"

namespace finedelta {

static_assert(std::endian::native == std::endian::little, "finedelta needs a little-endian CPU");

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads or writes one little-endian value at any alignment.
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
  requires std::is_trivially_copyable_v<T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// Appends values to a growing buffer, little-endian.
class ByteWriter {
 public:
  void u8(uint8_t value) { fixed(value); }
  void u16(uint16_t value) { fixed(value); }
  void u32(uint32_t value) { fixed(value); }
  void u64(uint64_t value) { fixed(value); }
  // Unsigned LEB128, shortest form: 7 bits a byte, low bits first, at most 10 bytes.
  void varint(uint64_t value);
  void bytes(Bytes value) { data_.insert(data_.end(), value.begin(), value.end()); }
  // A varint length, then the bytes.
  void string(std::string_view value);

  [[nodiscard]] Bytes view() const { return data_; }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(data_); }

 private:
  template <typename T>
  void fixed(T value) {
    data_.resize(data_.size() + sizeof value);
    store(data_.data() + data_.size() - sizeof value, value);
  }

  std::vector<std::byte> data_;
};

// Takes values from the front of a buffer that nobody vouches for. The first value that does not
// fit, or is not in its only allowed form, makes the reader fail: from then on every call returns
// zero or nothing. So a record is read straight through and `ok` is asked once, at its end;
// loops run over `count`, which never promises more items than the remaining bytes can hold.
class ByteReader {
 public:
  explicit ByteReader(Bytes data) : data_(data) {}

  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  uint64_t varint();  // refuses a form longer than the shortest
  Bytes bytes(uint64_t size);
  std::string_view string(uint64_t longest);  // a varint length of at most `longest`, the bytes
  // A varint number of items that take at least `item_size` (> 0) bytes each.
  uint64_t count(uint64_t item_size);

  // Marks the data as bad: the caller found a value that may not be.
  void reject(std::string_view why);

  [[nodiscard]] bool ok() const { return why_.empty(); }
  [[nodiscard]] const std::string& why() const { return why_; }  // empty while ok
  [[nodiscard]] uint64_t offset() const { return offset_; }      // where the failure was, if any
  [[nodiscard]] uint64_t remaining() const { return data_.size() - offset_; }

 private:
  template <typename T>
  T fixed() {
    const Bytes raw = bytes(sizeof(T));
    return raw.empty() ? T{} : load<T>(raw.data());
  }

  Bytes data_;
  uint64_t offset_ = 0;
  std::string why_;
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_BYTES_H_
