// The symbols of a chunk, those of each context together.
#ifndef FINEDELTA_CODER_WAVELET_SORTED_STREAMS_H_
#define FINEDELTA_CODER_WAVELET_SORTED_STREAMS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "coder/wavelet/model.h"

namespace finedelta::wavelet {

struct SortedStreams {
  std::array<const uint8_t*, kMostStreams> symbols{};
  std::array<uint32_t, kMostStreams> count{};
};

// Of `units` symbols, in as many streams as `streams` says: the context of each, below
// kMostStreams, or the last stream where that is lower. Where there is one, the symbols stay where
// they are and `contexts` are not read; else they are in `buffer`.
SortedStreams sort_symbols(const uint8_t* contexts, const uint8_t* symbols, size_t units,
                           unsigned streams, std::vector<uint8_t>& buffer);

// Room for `size` elements, of which none is set: vectors that are used again keep theirs.
template <typename T>
T* room_for(size_t size, std::vector<T>& vector) {
  if (vector.size() < size) vector.resize(size);
  return vector.data();
}

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_SORTED_STREAMS_H_
