// Coder 5: the few units that differ from the prediction; spec.md has the layout.
//
// Larger than what coder 3 makes of such a chunk, which learns from every unit of the prediction
// where changes are likely; but this one never looks at the others. For the fastest levels.
#ifndef FINEDELTA_CODER_SPARSE_SPARSE_H_
#define FINEDELTA_CODER_SPARSE_SPARSE_H_

#include <cstdint>
#include <vector>

#include "coder/coder.h"
#include "coder/sparse/units.h"

namespace finedelta {

// Reads stored bytes that nobody vouches for, of a chunk of so many units of so many bytes.
// kDamaged with a reason.
Status parse_sparse(Bytes stored, unsigned unit, uint64_t units, SparseUnits& sparse);

// Fills `changed` with the units of the result that differ, one after another, where `prediction`
// is that of the whole chunk. kDamaged where they are not those of the hash.
Status sparse_result(const SparseUnits& sparse, unsigned unit, Bytes prediction,
                     std::vector<std::byte>& changed);

// Takes the units at these places out of a chunk, one after another, and puts them back.
void take_units(std::span<const uint32_t> places, unsigned unit, Bytes value,
                std::vector<std::byte>& units);
void place_units(std::span<const uint32_t> places, unsigned unit, Bytes units, MutableBytes value);

std::optional<uint64_t> analyze_sparse(const ChunkInput& chunk, CoderScratch& scratch);
void encode_sparse(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored);
Status decode_sparse(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                     CoderScratch& scratch);

inline constexpr Coder kSparseCoder{.id = 5,
                                    .name = "sparse",
                                    .uses_prediction = true,
                                    .analyze = analyze_sparse,
                                    .encode = encode_sparse,
                                    .decode = decode_sparse,
                                    .since = 2};

}  // namespace finedelta

#endif  // FINEDELTA_CODER_SPARSE_SPARSE_H_
