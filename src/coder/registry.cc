#include <algorithm>
#include <array>

#include "coder/coder.h"
#include "coder/identical/identical.h"
#include "coder/planes/planes.h"
#include "coder/raw/raw.h"
#include "coder/sparse/sparse.h"
#include "coder/steps/steps.h"
#include "coder/wavelet/wavelet.h"

namespace finedelta {

namespace {

constexpr std::array kCoders = {kRawCoder,     kIdenticalCoder, kPlanesCoder,
                                kWaveletCoder, kStepsCoder,     kSparseCoder};

constexpr bool ids_are_places() {
  for (size_t i = 0; i < kCoders.size(); ++i) {
    if (kCoders[i].id != i) return false;
  }
  return true;
}
static_assert(ids_are_places());

// The levels at which how fast a chunk is read counts for more than its size. At the others the
// wavelet coder has more contexts, and is much smaller where few units differ.
constexpr int kFast = 2;

// Takes the sparse coder even where it needs a quarter more.
void prefer_sparse(const ChunkInput& chunk, CoderScratch& scratch, CoderChoice& best) {
  const auto estimate = kSparseCoder.analyze(chunk, scratch);
  if (estimate && *estimate * 4 <= best.estimate * 5) best = {&kSparseCoder, *estimate};
}

}  // namespace

std::span<const Coder> coders() { return kCoders; }

CoderChoice choose_coder(const ChunkInput& chunk, CoderScratch& scratch) {
  CoderChoice best{&kRawCoder, chunk.estimated_units() * chunk.unit()};
  const auto consider = [&](const Coder& coder) {
    const auto estimate = coder.analyze(chunk, scratch);
    if (estimate && *estimate < best.estimate) best = {&coder, *estimate};
    return estimate.has_value();
  };
  if (consider(kIdenticalCoder)) return best;
  // Byte planes are for types that the wavelet coder does not know, and for what repeats itself.
  const bool is_known = consider(kWaveletCoder);
  constexpr int kThorough = 4;  // the first level that tries all
  if (!is_known || scratch.wavelet.plan.repeats || scratch.level >= kThorough) {
    consider(kPlanesCoder);
  }
  if (scratch.level <= kFast) prefer_sparse(chunk, scratch, best);
  return best;
}

const Coder& encode_chunk(const ChunkInput& chunk, CoderScratch& scratch,
                          std::vector<std::byte>& stored) {
  const size_t before = stored.size();
  const Coder* const chosen = choose_coder(chunk, scratch).coder;
  chosen->encode(chunk, scratch, stored);
  if (stored.size() - before < chunk.value.size()) return *chosen;
  stored.resize(before);
  kRawCoder.encode(chunk, scratch, stored);
  return kRawCoder;
}

}  // namespace finedelta
