// Writing and reading the index.
#ifndef FINEDELTA_ARCHIVE_INDEX_H_
#define FINEDELTA_ARCHIVE_INDEX_H_

#include <string_view>
#include <vector>

#include "archive/format.h"
#include "archive/layout.h"
#include "base/bytes.h"
#include "finedelta/result.h"

namespace finedelta::archive {

// Works out the fields of `index` that are not written: offsets, sizes and chunk ranges, and checks
// what they need: shapes and sums that do not overflow. `chunks` is not touched. kDamaged.
Status complete(Index& index);

// The index as it is in the archive: hash, length and compressed body.
[[nodiscard]] std::vector<std::byte> encode_index(const Index& index);

// Reads what encode_index wrote, from bytes that nobody vouches for. `where` is the archive's path,
// for messages. Takes at most about `memory` bytes. kDamaged; kFailure when `memory` is too little.
Result<Index> decode_index(Bytes stored, const Layout& layout, uint64_t memory,
                           std::string_view where);

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_INDEX_H_
