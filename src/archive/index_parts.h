// The steps of decode_index, in their order. What is wrong is told by the reader's status or by the
// Status that is returned: kDamaged without the archive's path, kFailure where memory is too
// little.
#ifndef FINEDELTA_ARCHIVE_INDEX_PARTS_H_
#define FINEDELTA_ARCHIVE_INDEX_PARTS_H_

#include "archive/format.h"
#include "archive/layout.h"
#include "archive/record_reader.h"

namespace finedelta::archive {

// Reads everything before the chunks.
void decode_records(RecordReader& reader, const Layout& layout, Index& index);

// Whether those records fit together, and what a reader holds in memory into its share of `memory`
// bytes.
Status check_records(const Index& index, uint64_t memory);

// Reads the chunks; `index` is complete but for them.
void decode_chunks(RecordReader& reader, const Layout& layout, Index& index);

// Reads what a lossy archive holds beyond.
void decode_losses(RecordReader& reader, Index& index);

// Reads the second layer of a progressive archive, which is complete but for that.
void decode_rest(RecordReader& reader, const Layout& layout, Index& index);

// Whether coders, sizes and prefixes of the chunks are allowed.
Status check_chunks(const Layout& layout, const Index& index);

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_INDEX_PARTS_H_
