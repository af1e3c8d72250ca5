#include "diff/compare_tensors.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"

namespace finedelta {

namespace {

// Two chunks of 2 or 4 bytes an element stay in an L2 cache: 2^18 took a fifth longer. A multiple
// of four, so that chunks of elements of 6 bits are whole bytes.
constexpr uint64_t kChunkElements = uint64_t{1} << 17;
static_assert(kChunkElements <= kMostCompared);
// Two chunks, of 8 bytes an element.
constexpr uint64_t kWorkerBytes = 16 * kChunkElements;

// Results that may wait for those before them, for each worker.
constexpr uint64_t kWaiting = 8;

struct Buffers {
  std::vector<std::byte> base;
  std::vector<std::byte> fine;
};

void add(NonFinite& to, const NonFinite& other) {
  to.nans += other.nans;
  to.infinities += other.infinities;
}

class TensorComparer {
 public:
  TensorComparer(DiffPairs& pairs, const Options& options, ProgressMeter& progress)
      : pairs_(pairs), options_(options), progress_(progress) {}

  Result<FloatTotals> run() {
    for (size_t i = 0; i < pairs_.pairs.size(); ++i) {
      const DiffPair& pair = pairs_.pairs[i];
      // No chunk will tell.
      if (pair.compared && pair.elements == 0) finish(i, {});
      chunks_ += (pair.elements + kChunkElements - 1) / kChunkElements;
      ends_.push_back(chunks_);
    }
    const unsigned threads = affordable_workers(options_, kWorkerBytes, 0);
    std::vector<Buffers> buffers(threads);
    FINEDELTA_CHECK(parallel_ordered(
        chunks_, threads, kWaiting * threads, options_.cancel,
        [&](uint64_t chunk, unsigned worker) { return compare(chunk, buffers[worker]); },
        [&](uint64_t chunk, const TensorTally& tally) { return commit(chunk, tally); }));
    return totals_;
  }

 private:
  // Where a chunk is.
  struct Place {
    size_t pair = 0;
    uint64_t first = 0;  // bytes
    uint64_t size = 0;
    bool last = false;  // of its tensor
  };

  [[nodiscard]] Place place_of(uint64_t chunk) const {
    const auto found = std::ranges::upper_bound(ends_, chunk);
    const auto pair = static_cast<size_t>(found - ends_.begin());
    const uint64_t first_chunk = pair == 0 ? 0 : ends_[pair - 1];
    const DiffPair& tensors = pairs_.pairs[pair];
    const uint64_t chunk_bytes = kChunkElements / 8 * dtype_bits(tensors.dtype());
    const uint64_t first = (chunk - first_chunk) * chunk_bytes;
    return {.pair = pair,
            .first = first,
            .size = std::min(chunk_bytes, tensors.bytes - first),
            .last = chunk + 1 == *found};
  }

  Result<TensorTally> compare(uint64_t chunk, Buffers& buffers) const {
    const Place place = place_of(chunk);
    const StoredTensor& base = pairs_.pairs[place.pair].base;
    const StoredTensor& fine = pairs_.pairs[place.pair].fine;
    buffers.base.resize(place.size);
    buffers.fine.resize(place.size);
    FINEDELTA_CHECK(base.shard->read(*base.tensor, place.first, buffers.base));
    FINEDELTA_CHECK(fine.shard->read(*fine.tensor, place.first, buffers.fine));
    return TensorTally::of(fine.tensor->dtype, buffers.base, buffers.fine);
  }

  Status commit(uint64_t chunk, const TensorTally& tally) {
    const Place place = place_of(chunk);
    tally_.add(tally);
    progress_.add(place.size);
    if (place.last) finish(place.pair, std::exchange(tally_, {}));
    return {};
  }

  void finish(size_t pair, const TensorTally& tally) {
    TensorDiff& diff = pairs_.diffs[pair];
    diff.changed = tally.changed;
    if (tally.changed > 0 && diff.status == "equal") diff.status = "changed";
    const DType dtype = pairs_.pairs[pair].dtype();
    if (!is_comparable_float(dtype)) return;
    diff.floats = tally.report(dtype, diff.elements);
    totals_.sums.add(tally.sums);
    add(totals_.base, diff.floats->base);
    add(totals_.fine_tune, diff.floats->fine_tune);
  }

  DiffPairs& pairs_;
  const Options& options_;
  ProgressMeter& progress_;
  std::vector<uint64_t> ends_;  // for each pair, the number of chunks up to its end
  uint64_t chunks_ = 0;
  TensorTally tally_;  // of the tensor whose chunks are being committed
  FloatTotals totals_;
};

}  // namespace

Result<FloatTotals> compare_tensors(DiffPairs& pairs, const Options& options,
                                    ProgressMeter& progress) {
  return TensorComparer(pairs, options, progress).run();
}

}  // namespace finedelta
