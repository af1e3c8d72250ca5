// Symbols that were sorted into streams by context (partition_symbols), merged again.
#ifndef FINEDELTA_KERNELS_MERGE_CONTEXTS_H_
#define FINEDELTA_KERNELS_MERGE_CONTEXTS_H_

#include <cstddef>
#include <cstdint>

namespace finedelta {

// The symbols of `count` units from `first`, a multiple of 64, on. `map` is what context_map_of
// (residual.h) made of all units, on the same target. The symbol of unit i is the next one of the
// stream that its context says, of `group`, behind the first one of its class. Stream
// classes[i / 64] * group is that first one; without classes (null) it is stream 0. There are at
// most kMostStreams (symbols.h), of as many symbols as were counted; all have kSymbolSlack behind
// them. next[k] is the next symbol of stream k, and is moved on for the units behind.
void merge_contexts(const uint64_t* map, const uint8_t* classes, size_t first, size_t count,
                    size_t group, const uint8_t** next, uint8_t* symbols);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_MERGE_CONTEXTS_H_
