// What fuzz_coders starts from: a chunk as some coder stored it.
#ifndef FINEDELTA_FUZZ_CODER_INPUT_H_
#define FINEDELTA_FUZZ_CODER_INPUT_H_

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

inline constexpr size_t kMostFuzzedUnits = 4096;

// `u8` type, `u16` number of units less 1, `u8` size of a pattern and its bytes, which repeated are
// the prediction (size 0: there is none), then the stored bytes. Numbers are taken modulo what they
// may be.
struct CoderInput {
  DType dtype = DType::kU8;
  size_t units = 1;
  Bytes pattern;
  Bytes stored;

  [[nodiscard]] size_t value_size() const { return units * dtype_unit(dtype); }

  [[nodiscard]] std::vector<std::byte> prediction() const {
    std::vector<std::byte> bytes;
    if (pattern.empty()) return bytes;
    bytes.resize(value_size());
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern[i % pattern.size()];
    return bytes;
  }

  [[nodiscard]] std::vector<std::byte> encode() const {
    ByteWriter out;
    out.u8(static_cast<uint8_t>(dtype));
    out.u16(static_cast<uint16_t>(units - 1));
    out.u8(static_cast<uint8_t>(pattern.size()));
    out.bytes(pattern);
    out.bytes(stored);
    return out.take();
  }
};

inline std::optional<CoderInput> parse_coder_input(Bytes input) {
  ByteReader reader(input);
  CoderInput parsed;
  parsed.dtype = static_cast<DType>(reader.u8() % kDTypeCount);
  parsed.units = reader.u16() % kMostFuzzedUnits + 1;
  parsed.pattern = reader.bytes(reader.u8());
  if (!reader.ok()) return std::nullopt;
  parsed.stored = reader.bytes(reader.remaining());
  return parsed;
}

}  // namespace finedelta

#endif  // FINEDELTA_FUZZ_CODER_INPUT_H_
