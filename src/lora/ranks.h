// How many singular directions each matrix of an adapter gets.
#ifndef FINEDELTA_LORA_RANKS_H_
#define FINEDELTA_LORA_RANKS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace finedelta::peft {

// What directions of one matrix bring and cost.
struct Spectrum {
  std::vector<double> gains;  // squared singular values, falling
  uint64_t cost = 0;          // numbers stored for each direction: rows + columns
};

using Ranks = std::vector<size_t>;  // for each matrix

// A matrix is named once for each of its directions, all in the order in which they are worth their
// numbers: by squared singular value for each number stored. As a matrix's gains fall, any
// beginning of the order is a choice of ranks, and no other choice of as few numbers keeps more.
[[nodiscard]] std::vector<size_t> order_directions(std::span<const Spectrum> spectra);

// `start` (the least ranks) and the first `count` directions.
[[nodiscard]] Ranks ranks_of(std::span<const size_t> order, size_t count, const Ranks& start);

// The longest beginning of the order with which `size_of` is at most `budget`, and then whatever
// more fits behind it. `size_of` grows with the ranks, and that of `start` must fit.
[[nodiscard]] Ranks ranks_for_size(std::span<const size_t> order, const Ranks& start,
                                   uint64_t budget,
                                   const std::function<uint64_t(const Ranks&)>& size_of);

// The shortest beginning of the order that keeps `wanted` of the gains; all where none does.
[[nodiscard]] Ranks ranks_for_gain(std::span<const size_t> order, const Ranks& start,
                                   std::span<const Spectrum> spectra, double wanted);

// What ranks keep of the gains. Ranks beyond a spectrum's end add nothing.
[[nodiscard]] double gain_of(std::span<const Spectrum> spectra, const Ranks& ranks);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_RANKS_H_
