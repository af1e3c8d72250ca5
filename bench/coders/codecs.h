// How each of the compared codecs is made.
#ifndef FINEDELTA_BENCH_CODERS_CODECS_H_
#define FINEDELTA_BENCH_CODERS_CODECS_H_

#include <memory>

#include "codec.h"
#include "coder/coder.h"

namespace finedelta::bench {

// This library: every chunk with the coder that pack would choose or, if `only` is not null, with
// that one wherever it fits, else raw.
std::unique_ptr<Codec> make_finedelta(const Coder* only);

// The same as pack does it at that level (1 to 9): with the search for what is of low rank.
std::unique_ptr<Codec> make_finedelta_at(int level);

std::unique_ptr<Codec> make_bitx();
std::unique_ptr<Codec> make_tensorx();
std::unique_ptr<Codec> make_fm_delta();
std::unique_ptr<Codec> make_zstd();
std::unique_ptr<Codec> make_zstd_patch();

// Copies; with `hash`, checks the XXH3-128 of each piece as unpacking does.
std::unique_ptr<Codec> make_copy(bool hash);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_CODECS_H_
