#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/hash.h"
#include "coder/sparse/codes.h"
#include "coder/sparse/sparse.h"
#include "numeric/with_unit.h"

namespace finedelta {

namespace {

Status refuse(std::string_view why) { return fail(ErrorCode::kDamaged, "sparse: {}", why); }

// The high parts of gaps, added up: `places` become what they are without the low parts. Codes are
// read by their ends, the zero bits, of which none has to wait for the one before.
Status read_high(BitReader& in, unsigned parameter, uint64_t end, std::span<uint32_t> places) {
  constexpr unsigned kWindow = 56;  // bits that one load surely has
  const size_t start = in.at();
  size_t i = 0;
  for (size_t read = 0; i < places.size(); read += kWindow) {
    const size_t at = start + read;
    if (at > in.end()) return refuse("it ends too early");
    uint64_t ends =
        ~(load<uint64_t>(in.data() + at / 8) >> at % 8) & ((uint64_t{1} << kWindow) - 1);
    for (; ends != 0 && i < places.size(); ends &= ends - 1, ++i) {
      const size_t bits = read + static_cast<size_t>(std::countr_zero(ends));
      const uint64_t ones = bits - i;  // of all codes so far
      if (ones > end >> parameter) return refuse("a gap leads too far");
      places[i] = static_cast<uint32_t>((ones << parameter) + i);
      in.seek(start + bits + 1);
    }
  }
  return {};
}

// Fills `places`, rising and under `end`, from gaps.
Status read_places(BitReader& in, uint64_t end, std::span<uint32_t> places) {
  const auto parameter = static_cast<unsigned>(in.take(kRiceParameterBits));
  FINEDELTA_CHECK(read_high(in, parameter, end, places));
  size_t at = in.at();
  if (!in.ok() || parameter * places.size() > in.end() - at) return refuse("it ends too early");
  uint64_t low = 0;  // of all gaps so far
  for (uint32_t& place : places) {
    low += load<uint64_t>(in.data() + at / 8) >> at % 8 & ((uint64_t{1} << parameter) - 1);
    at += parameter;
    if (place + low >= end) return refuse("a gap leads too far");
    place = static_cast<uint32_t>(place + low);
  }
  in.seek(at);
  return {};
}

// The far ones among `differences`, all of which have a magnitude of 1 so far.
Status read_far(BitReader& in, unsigned unit, std::span<uint64_t> differences) {
  const uint64_t count = in.take(32);
  if (count == 0) return {};
  if (count > differences.size()) return refuse("more far ones than units");
  std::vector<uint32_t> far(count);
  FINEDELTA_CHECK(read_places(in, differences.size(), far));
  const uint64_t largest = uint64_t{1} << (8 * unit - 1);
  for (const uint32_t place : far) {
    const uint64_t less_one = take_gamma(in);
    if (less_one >= largest) return refuse("a magnitude is too large");
    differences[place] *= less_one + 1;  // 1 or -1 before
  }
  return {};
}

// How many units ahead memory is asked for: the places are too far apart for the CPU to guess.
constexpr size_t kAhead = 16;

template <typename T>
void add(const SparseUnits& sparse, const std::byte* prediction, std::byte* to) {
  const std::vector<uint32_t>& places = sparse.places;
  for (size_t i = 0; i < places.size(); ++i) {
    if (i + kAhead < places.size()) {
      __builtin_prefetch(prediction + places[i + kAhead] * sizeof(T));
    }
    const T before = load<T>(prediction + places[i] * sizeof(T));
    store(to + i * sizeof(T), static_cast<T>(before + sparse.differences[i]));
  }
}

template <typename T>
void take(std::span<const uint32_t> places, const std::byte* value, std::byte* units) {
  for (size_t i = 0; i < places.size(); ++i) {
    store(units + i * sizeof(T), load<T>(value + places[i] * sizeof(T)));
  }
}

template <typename T>
void place(std::span<const uint32_t> places, const std::byte* units, std::byte* value) {
  for (size_t i = 0; i < places.size(); ++i) {
    store(value + places[i] * sizeof(T), load<T>(units + i * sizeof(T)));
  }
}

// Differences of 1 and -1, as the bits say.
void read_signs(BitReader& in, std::span<uint64_t> differences) {
  BitReader local = in;
  while (!differences.empty()) {
    const auto count = static_cast<unsigned>(std::min<size_t>(differences.size(), 32));
    uint64_t bits = local.take(count);
    for (uint64_t& difference : differences.first(count)) {
      difference = 1 - 2 * (bits & 1);
      bits >>= 1;
    }
    differences = differences.subspan(count);
  }
  in = local;
}

}  // namespace

Status parse_sparse(Bytes stored, unsigned unit, uint64_t units, SparseUnits& sparse) {
  ByteReader head(stored);
  const uint64_t count = head.varint();
  sparse.hash = head.u64();
  if (!head.ok()) return refuse(head.why());
  const Bytes bits = head.bytes(head.remaining());
  if (count == 0 || count > units || count > 8 * bits.size()) {
    return refuse("an impossible number of units");
  }
  sparse.places.resize(count);
  sparse.differences.resize(count);
  std::vector<std::byte> buffer;
  BitReader in(bits, buffer);
  FINEDELTA_CHECK(read_places(in, units, sparse.places));
  read_signs(in, sparse.differences);
  FINEDELTA_CHECK(read_far(in, unit, sparse.differences));
  if (!in.at_end()) return refuse("its bits do not end where they must");
  return {};
}

Status sparse_result(const SparseUnits& sparse, unsigned unit, Bytes prediction,
                     std::vector<std::byte>& changed) {
  changed.resize(sparse.places.size() * unit);
  with_unit(unit, [&]<typename T>(T) { add<T>(sparse, prediction.data(), changed.data()); });
  if (xxh3_64(changed) == sparse.hash) return {};
  return refuse("the units that differ do not come out as they were");
}

void take_units(std::span<const uint32_t> places, unsigned unit, Bytes value,
                std::vector<std::byte>& units) {
  units.resize(places.size() * unit);
  with_unit(unit, [&]<typename T>(T) { take<T>(places, value.data(), units.data()); });
}

void place_units(std::span<const uint32_t> places, unsigned unit, Bytes units, MutableBytes value) {
  with_unit(unit, [&]<typename T>(T) { place<T>(places, units.data(), value.data()); });
}

Status decode_sparse(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                     CoderScratch& scratch) {
  const unsigned unit = dtype_unit(dtype);
  FINEDELTA_CHECK(parse_sparse(stored, unit, value.size() / unit, scratch.sparse));
  if (prediction.empty()) {
    std::ranges::fill(value, std::byte{0});
  } else {
    std::ranges::copy(prediction, value.begin());
  }
  FINEDELTA_CHECK(sparse_result(scratch.sparse, unit, value, scratch.planes));
  place_units(scratch.sparse.places, unit, scratch.planes, value);
  return {};
}

}  // namespace finedelta
