#include "coder/wavelet/sorted_streams.h"

#include <algorithm>

#include "kernels/count_symbols.h"
#include "kernels/symbols.h"

namespace finedelta::wavelet {

SortedStreams sort_symbols(const uint8_t* contexts, const uint8_t* symbols, size_t units,
                           unsigned streams, std::vector<uint8_t>& buffer) {
  SortedStreams sorted;
  if (streams == 1) {
    sorted.symbols[0] = symbols;
    sorted.count[0] = static_cast<uint32_t>(units);
    return sorted;
  }
  std::array<uint32_t, 256> counts{};
  count_symbols(contexts, units, counts.data());
  for (unsigned k = 0; k < kMostStreams; ++k) sorted.count[std::min(k, streams - 1)] += counts[k];
  std::array<uint8_t*, kMostStreams> next{};
  uint8_t* place = room_for(units + kMostStreams * kSymbolSlack, buffer);
  for (unsigned k = 0; k < streams; ++k) {
    next[k] = place;
    sorted.symbols[k] = place;
    place += sorted.count[k] + kSymbolSlack;
  }
  partition_symbols(contexts, symbols, units, streams, next.data());
  return sorted;
}

}  // namespace finedelta::wavelet
