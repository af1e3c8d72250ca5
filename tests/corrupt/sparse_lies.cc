// Chunks of coder sparse that break a rule of docs/format.md or of src/coder/sparse/spec.md each.
#include <functional>

#include "base/bit_stream.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "coder/sparse/sparse.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

// What stands for the 64 units of tensor "a", F32: two of them changed, one by more than 1.
struct Stored {
  uint64_t count = 2;
  uint64_t hash = 1;
  std::vector<uint64_t> gaps = {3, 40};
  uint64_t far = 1;
  uint64_t far_gap = 1;
  unsigned far_bits = 3;   // of the magnitude less 1, below the highest
  bool is_longer = false;  // a set bit follows
};

void put_gaps(const std::vector<uint64_t>& gaps, BitSink& out) {
  out.put(5, 5);  // the parameter
  for (const uint64_t gap : gaps) out.put_unary(gap >> 5);
  for (const uint64_t gap : gaps) out.put(gap & 31, 5);
}

std::string bytes_of(const Stored& stored) {
  BitWriter bits;
  BitSink sink = bits.sink(100'000);
  put_gaps(stored.gaps, sink);
  sink.put(0b10, 2);
  sink.put(stored.far, 32);
  put_gaps({stored.far_gap}, sink);
  sink.put_unary(stored.far_bits);
  sink.put(0, stored.far_bits);
  if (stored.is_longer) sink.put(1, 1);
  bits.give_back(sink);
  ByteWriter out;
  out.varint(stored.count);
  out.u64(stored.hash);
  out.bytes(bits.finish());
  return std::string(as_text(out.view()));
}

Lie lie(std::string name, Parts parts, std::string stored, Seen seen, std::string_view error) {
  parts.index.chunks[kPlanesChunk].coder = kSparseCoder.id;
  parts.set_stored(kPlanesChunk, std::move(stored));
  return {.name = "sparse_" + std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE: ").append(error)};
}

// In the sample with losses, which needs a reader of format 2.
Lie refused(std::string name, std::string stored, std::string_view why) {
  return lie(std::move(name), lossy_sample(), std::move(stored), Seen::kRebuilding,
             std::string("'a' in the SIZE bytes at OFFSET: sparse: ").append(why));
}

Lie refused(std::string name, const std::function<void(Stored&)>& change, std::string_view why) {
  Stored stored;
  change(stored);
  return refused(std::move(name), bytes_of(stored), why);
}

}  // namespace

std::vector<Lie> sparse_lies() {
  constexpr std::string_view kCount = "an impossible number of units";
  constexpr std::string_view kGap = "a gap leads too far";
  constexpr std::string_view kEnd = "its bits do not end where they must";
  return {
      lie("in_format_1", sample_parts(), bytes_of({}), Seen::kOpening,
          "the archive's index can't be read: a coder is unknown"),
      refused("head_cut", bytes_of({}).substr(0, 5), "it ends too early"),
      refused(
          "no_units", [](Stored& stored) { stored.count = 0; }, kCount),
      refused(
          "more_units_than_there_are", [](Stored& stored) { stored.count = 65; }, kCount),
      refused(
          "endless_units", [](Stored& stored) { stored.count = ~uint64_t{0}; }, kCount),
      refused("no_bits", bytes_of({}).substr(0, 9), kCount),
      refused(
          "gap_too_far", [](Stored& stored) { stored.gaps[1] = 60; }, kGap),
      refused(
          "more_far_than_units", [](Stored& stored) { stored.far = 3; },
          "more far ones than units"),
      refused(
          "far_gap_too_far", [](Stored& stored) { stored.far_gap = 2; }, kGap),
      refused("bits_cut", bytes_of({}).substr(0, 16), "it ends too early"),
      refused(
          "bits_behind", [](Stored& stored) { stored.is_longer = true; }, kEnd),
      refused("bytes_behind", bytes_of({}) + '\0', kEnd),
      refused(
          "magnitude_too_large", [](Stored& stored) { stored.far_bits = 31; },
          "a magnitude is too large"),
      refused("other_units", bytes_of({}), "the units that differ do not come out as they were"),
  };
}

}  // namespace finedelta::corrupt
