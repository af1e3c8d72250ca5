// Coder 4: the prediction moved by whole numbers of steps, the dense layer of lossy archives.
// spec.md says how. It can't describe a chunk exactly by choice: quantise.h makes the numbers, and
// the chunk becomes what apply_steps makes of them.
#ifndef FINEDELTA_CODER_STEPS_STEPS_H_
#define FINEDELTA_CODER_STEPS_STEPS_H_

#include "coder/coder.h"

namespace finedelta {

// Where a chunk lies in its matrix: rows of `columns` >= 1, and its first unit in column `first` <
// `columns`.
struct StepsPlace {
  uint64_t columns = 1;
  uint64_t first = 0;
};

// Fills `value` with the prediction (zeros where it is empty) moved by so many steps each. Needs
// F16, BF16 or F32, magnitudes of at most 32767, and a scale within the bounds of
// kernels/low_rank.h.
void apply_steps(DType dtype, Bytes prediction, std::span<const int16_t> steps, float scale,
                 MutableBytes value);

// Appends the stored bytes; the needs are those of apply_steps. They may be more than the chunk's
// own, which are then to be stored otherwise.
void encode_steps(std::span<const int16_t> steps, float scale, const StepsPlace& place,
                  std::vector<std::byte>& stored);

Status decode_steps(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                    CoderScratch& scratch);

// For the registry: no chunk is accepted, so that none is encoded without its steps.
std::optional<uint64_t> analyze_no_steps(const ChunkInput& chunk, CoderScratch& scratch);
void encode_no_steps(const ChunkInput& chunk, CoderScratch& scratch,
                     std::vector<std::byte>& stored);

inline constexpr Coder kStepsCoder{.id = 4,
                                   .name = "steps",
                                   .uses_prediction = true,
                                   .analyze = analyze_no_steps,
                                   .encode = encode_no_steps,
                                   .decode = decode_steps,
                                   .lossy = true,
                                   .since = 2};

// What the decoder keeps for each unit of a chunk, in bytes: its steps, and a ratio of its column.
inline constexpr uint64_t kStepsBytesPerUnit = 4;

}  // namespace finedelta

#endif  // FINEDELTA_CODER_STEPS_STEPS_H_
