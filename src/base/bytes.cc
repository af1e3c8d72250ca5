#include "base/bytes.h"

namespace finedelta {

void ByteWriter::varint(uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<uint8_t>(value));
}

void ByteWriter::string(std::string_view value) {
  varint(value.size());
  bytes(as_bytes(value));
}

void ByteReader::reject(std::string_view why) {
  if (ok()) why_ = why;
}

Bytes ByteReader::bytes(uint64_t size) {
  if (ok() && size > remaining()) reject("it ends too early");
  if (!ok()) return {};
  const Bytes taken = data_.subspan(offset_, size);
  offset_ += size;
  return taken;
}

uint64_t ByteReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const uint64_t byte = u8();
    if (!ok()) return 0;
    const uint64_t bits = byte & 0x7f;
    const bool overflows = shift == 63 && byte > 1;
    const bool padded = shift > 0 && byte == 0;
    if (overflows || padded) {
      reject("a number is not in its shortest form");
      return 0;
    }
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
}

std::string_view ByteReader::string(uint64_t longest) {
  const uint64_t size = varint();
  if (size > longest) reject("a text is too long");
  return as_text(bytes(size));
}

uint64_t ByteReader::count(uint64_t item_size) {
  const uint64_t number = varint();
  if (ok() && number > remaining() / item_size) reject("a count is larger than what follows");
  return ok() ? number : 0;
}

}  // namespace finedelta
