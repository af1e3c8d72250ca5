// What the fuzzers of archives start from: the parts of an archive, without the hashes, which
// mutation would never get right.
#ifndef FINEDELTA_FUZZ_ARCHIVE_INPUT_H_
#define FINEDELTA_FUZZ_ARCHIVE_INPUT_H_

#include <algorithm>
#include <optional>

#include "archive/layout.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"
#include "check.h"

namespace finedelta {

// `u16` payload size, `u16` side size, then (fuzz_unpack only) so many bytes of each, then the body
// of the index.
struct ArchiveInput {
  uint64_t payload_size = 0;
  uint64_t side_size = 0;
  Bytes rest;
};

inline std::optional<ArchiveInput> parse_input(Bytes input) {
  ByteReader reader(input);
  ArchiveInput parsed;
  parsed.payload_size = reader.u16();
  parsed.side_size = reader.u16();
  if (!reader.ok()) return std::nullopt;
  parsed.rest = reader.bytes(reader.remaining());
  return parsed;
}

// Of the newest format: all that any may hold is read.
inline archive::Layout input_layout(uint64_t payload_size, uint64_t side_size,
                                    uint64_t index_size) {
  return {.version = archive::kFormatVersion,
          .oldest_reader = archive::kFormatVersion,
          .payload_size = payload_size,
          .side_size = side_size,
          .index_size = index_size};
}

// A message is fit for a terminal.
inline void check_message(const Error& error) {
  FUZZ_CHECK(is_utf8(error.message));
  FUZZ_CHECK(std::ranges::none_of(error.message, [](char c) { return c >= 0 && c < 0x20; }));
  FUZZ_CHECK(error.message.size() < 4096);
}

}  // namespace finedelta

#endif  // FINEDELTA_FUZZ_ARCHIVE_INPUT_H_
