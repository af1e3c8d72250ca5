// How often each byte comes.
#ifndef FINEDELTA_KERNELS_COUNT_SYMBOLS_H_
#define FINEDELTA_KERNELS_COUNT_SYMBOLS_H_

#include <cstddef>
#include <cstdint>

namespace finedelta {

// Adds to counts[s], for each s from 0 to 255, how many of the symbols are s. Fastest where most
// are small. kSymbolSlack (symbols.h) bytes behind the last one may be read.
void count_symbols(const uint8_t* symbols, size_t count, uint32_t* counts);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_COUNT_SYMBOLS_H_
