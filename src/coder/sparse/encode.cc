#include <bit>

#include "base/hash.h"
#include "coder/sparse/codes.h"
#include "coder/sparse/sparse.h"
#include "numeric/with_unit.h"

namespace finedelta {

namespace {

// Where more than one in so many units differs, coder 3 is the better one by far.
constexpr size_t kSparseness = 8;

// Fills `sparse` with the units that differ; false where they are too many.
template <typename T>
bool collect(const ChunkInput& chunk, SparseUnits& sparse) {
  const size_t most = chunk.units() / kSparseness;
  for (size_t i = 0; i < chunk.units(); ++i) {
    const T value = load<T>(chunk.value.data() + i * sizeof(T));
    const T prediction =
        chunk.prediction.empty() ? T{0} : load<T>(chunk.prediction.data() + i * sizeof(T));
    if (value == prediction) continue;
    if (sparse.places.size() == most) return false;
    sparse.places.push_back(static_cast<uint32_t>(i));
    sparse.differences.push_back(static_cast<T>(value - prediction));
  }
  return true;
}

bool collect_units(const ChunkInput& chunk, SparseUnits& sparse) {
  sparse.places.clear();
  sparse.differences.clear();
  return with_unit(dtype_unit(chunk.dtype),
                   [&]<typename T>(T) { return collect<T>(chunk, sparse); });
}

SparseNumbers numbers_of(const SparseUnits& sparse, size_t unit) {
  const uint64_t half = uint64_t{1} << (8 * unit - 1);
  SparseNumbers numbers;
  uint64_t next = 0;
  uint64_t next_far = 0;
  for (size_t i = 0; i < sparse.places.size(); ++i) {
    numbers.gaps.push_back(sparse.places[i] - next);
    next = uint64_t{sparse.places[i]} + 1;
    const uint64_t difference = sparse.differences[i];
    const bool negative = difference > half;
    // The width's own modulus: 2 * half, which is 0 where a unit takes 64 bits.
    const uint64_t magnitude = negative ? 2 * half - difference : difference;
    numbers.negative.push_back(negative);
    if (magnitude < 2) continue;
    numbers.far_gaps.push_back(i - next_far);
    next_far = i + 1;
    numbers.far_magnitudes.push_back(magnitude - 1);
  }
  return numbers;
}

struct Choices {
  RiceChoice gaps;
  RiceChoice far_gaps;

  explicit Choices(const SparseNumbers& numbers) : gaps(choose_rice(numbers.gaps)) {
    if (!numbers.far_gaps.empty()) far_gaps = choose_rice(numbers.far_gaps);
  }
};

constexpr unsigned kFarCountBits = 32;

uint64_t bits_of(const SparseNumbers& numbers, const Choices& choices) {
  uint64_t bits =
      choices.gaps.bits + numbers.negative.size() + kFarCountBits + choices.far_gaps.bits;
  for (const uint64_t magnitude : numbers.far_magnitudes) bits += gamma_bits(magnitude);
  return bits;
}

constexpr uint64_t kHeadBytes = 3 + sizeof(uint64_t);  // about: the count and the hash

void put_numbers(const SparseNumbers& numbers, const Choices& choices, BitSink& out) {
  put_rice(numbers.gaps, choices.gaps.parameter, out);
  for (const bool negative : numbers.negative) out.put(negative ? 1 : 0, 1);
  out.put(numbers.far_gaps.size(), kFarCountBits);
  if (numbers.far_gaps.empty()) return;
  put_rice(numbers.far_gaps, choices.far_gaps.parameter, out);
  for (const uint64_t magnitude : numbers.far_magnitudes) put_gamma(magnitude, out);
}

}  // namespace

std::optional<uint64_t> analyze_sparse(const ChunkInput& chunk, CoderScratch& scratch) {
  if (!collect_units(chunk, scratch.sparse) || scratch.sparse.places.empty()) return std::nullopt;
  scratch.sparse_numbers = numbers_of(scratch.sparse, chunk.unit());
  const uint64_t bits = bits_of(scratch.sparse_numbers, Choices(scratch.sparse_numbers));
  const uint64_t bytes = kHeadBytes + bits / 8 * chunk.estimated_units() / chunk.units();
  if (bytes >= chunk.estimated_units() * chunk.unit()) return std::nullopt;
  return bytes;
}

void encode_sparse(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored) {
  const SparseUnits& sparse = scratch.sparse;
  const SparseNumbers& numbers = scratch.sparse_numbers;
  const Choices choices(numbers);
  std::vector<std::byte> changed;
  take_units(sparse.places, dtype_unit(chunk.dtype), chunk.value, changed);
  ByteWriter out;
  out.varint(sparse.places.size());
  out.u64(xxh3_64(changed));
  BitWriter bits;
  BitSink sink = bits.sink(bits_of(numbers, choices));
  put_numbers(numbers, choices, sink);
  bits.give_back(sink);
  out.bytes(bits.finish());
  stored.insert(stored.end(), out.view().begin(), out.view().end());
}

}  // namespace finedelta
