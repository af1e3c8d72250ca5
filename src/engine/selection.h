// Which part of which tensor `extract` is asked for.
#ifndef FINEDELTA_ENGINE_SELECTION_H_
#define FINEDELTA_ENGINE_SELECTION_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "finedelta/archive_reader.h"
#include "finedelta/result.h"

namespace finedelta {

struct Selection {
  size_t tensor = 0;            // index into ArchiveReader::tensors
  std::vector<uint64_t> shape;  // of what is selected
  uint64_t first = 0;           // byte range in the tensor
  uint64_t end = 0;
};

// Reads "NAME" or "NAME[START:STOP]". kUsage for a name that is not there or a bad range.
Result<Selection> parse_selection(std::string_view text, const ArchiveReader& reader);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_SELECTION_H_
