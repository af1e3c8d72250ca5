// Memory for tests of kernels.
#ifndef FINEDELTA_TESTS_UNIT_EXACT_BYTES_H_
#define FINEDELTA_TESTS_UNIT_EXACT_BYTES_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace finedelta {

// Bytes that begin at any address and end where their memory ends, so that the address sanitizer
// sees what goes beyond.
class ExactBytes {
 public:
  explicit ExactBytes(size_t size, size_t offset = 1)
      : storage_(size + offset, std::byte{0xA5}), offset_(offset) {}
  explicit ExactBytes(Bytes bytes, size_t offset = 1) : ExactBytes(bytes.size(), offset) {
    std::ranges::copy(bytes, data());
  }

  [[nodiscard]] std::byte* data() { return storage_.data() + offset_; }
  [[nodiscard]] const std::byte* data() const { return storage_.data() + offset_; }
  [[nodiscard]] uint8_t* symbols() { return reinterpret_cast<uint8_t*>(data()); }
  [[nodiscard]] const uint8_t* symbols() const { return reinterpret_cast<const uint8_t*>(data()); }

  [[nodiscard]] std::vector<std::byte> copy() const { return first(storage_.size() - offset_); }
  [[nodiscard]] std::vector<std::byte> first(size_t size) const { return {data(), data() + size}; }

 private:
  std::vector<std::byte> storage_;
  size_t offset_;
};

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_UNIT_EXACT_BYTES_H_
