// The outermost layer of an archive: a safetensors file of three tensors, its header in a slot of
// fixed size that is filled in last. docs/format.md, section 2.
#ifndef FINEDELTA_ARCHIVE_LAYOUT_H_
#define FINEDELTA_ARCHIVE_LAYOUT_H_

#include <cstdint>
#include <string>

#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta::archive {

// The newest that is read. Archives are written in the oldest that has all that they hold.
inline constexpr uint64_t kFormatVersion = 2;

// The length field and the header; the payload begins here.
inline constexpr uint64_t kHeaderSlot = 512;

struct Layout {
  uint64_t version = 1;        // that the archive was written in
  uint64_t oldest_reader = 1;  // the oldest version that a reader must know
  uint64_t payload_size = 0;
  uint64_t side_size = 0;
  uint64_t index_size = 0;

  [[nodiscard]] uint64_t side_offset() const { return kHeaderSlot + payload_size; }
  [[nodiscard]] uint64_t index_offset() const { return side_offset() + side_size; }
  [[nodiscard]] uint64_t file_size() const { return index_offset() + index_size; }
};

// The kHeaderSlot bytes at the start of an archive.
[[nodiscard]] std::string encode_layout(const Layout& layout);

// Reads them from the start of `file`. kDamaged for anything but the one spelling that
// encode_layout writes, for a wrong hash and for a wrong file length; kUsage, naming the version,
// for an archive of version 0 and for one that needs a newer finedelta.
Result<Layout> read_layout(const InputFile& file);

// Whether `file` begins as archives of every version do.
[[nodiscard]] bool looks_like_archive(const InputFile& file);

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_LAYOUT_H_
