// Archives that lie: what they say is not so, but the hashes around it are in order.
#ifndef FINEDELTA_TESTS_CORRUPT_LIES_H_
#define FINEDELTA_TESTS_CORRUPT_LIES_H_

#include <string>
#include <vector>

#include "corrupt/sample.h"

namespace finedelta::corrupt {

// The first operation that can see a lie; those before it succeed.
enum class Seen {
  kOpening,     // inspect
  kChecking,    // verify without a base
  kRebuilding,  // verify with the base, unpack
};

struct Lie {
  std::string name;  // of its file too
  std::string archive;
  Seen seen;
  // The whole error, "ARCHIVE" in place of the quoted path, "SIZE" and "OFFSET" in place of where a
  // chunk's stored bytes are: those depend on the version of zstd.
  std::string error;
};

std::vector<Lie> header_lies();
std::vector<Lie> index_lies();   // of an index that is well formed
std::vector<Lie> body_lies();    // of one that is not
std::vector<Lie> stored_lies();  // of stored bytes
std::vector<Lie> wavelet_lies();
std::vector<Lie> low_rank_lies();
std::vector<Lie> lossy_lies();  // of format 2, as those that follow
std::vector<Lie> progressive_lies();
std::vector<Lie> sparse_lies();
std::vector<Lie> steps_lies();

std::vector<Lie> all_lies();

// What the lies of format 2 are made from: a sound lossy archive with an adaptive record of
// factors.
[[nodiscard]] Parts lossy_sample();

// The same with a second layer, in which "b" is another one than in the first.
[[nodiscard]] Parts progressive_sample();

}  // namespace finedelta::corrupt

#endif  // FINEDELTA_TESTS_CORRUPT_LIES_H_
