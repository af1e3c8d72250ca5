// Lossy archives, and adaptive records of factors, that break a rule of docs/format.md or of
// src/predict/low_rank/spec.md each.
#include <algorithm>
#include <functional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/range_coder.h"
#include "corrupt/lies.h"
#include "predict/low_rank/factors.h"

namespace finedelta::corrupt {

namespace {

// Of tensor "b", whose chunk is as its prediction: as its base while all factors are 0.
Factors no_factors() {
  return {.rows = 2,
          .columns = 8,
          .scale = 0x1p-10f,
          .shifts = {0},
          .left = std::vector<int16_t>(2),
          .right = std::vector<int16_t>(8)};
}

std::string record_of(const Factors& factors) {
  return std::string(as_text(encode_factors(factors, FactorCode::kAdaptive)));
}

// One of `rank` whose code is `stream`.
std::string record_of(std::string_view stream, uint64_t rank = 1, uint64_t columns = 8) {
  ByteWriter out;
  out.u8(0);
  for (const uint64_t number : {uint64_t{2}, columns, rank}) out.varint(number);
  out.u32(0x3A800000);  // 2^-10
  out.bytes(as_bytes(stream));
  return std::string(as_text(out.view()));
}

Parts lossy_parts(std::string record) {
  Parts parts = sample_parts();
  parts.set_factors(std::move(record));
  parts.index.lossy = true;
  parts.low_rank_tensor().error = ErrorReport{.relative_error = 0.5f};
  return parts;
}

Lie lie(std::string name, const Regions& regions, Seen seen, std::string_view error) {
  return {.name = "lossy_" + std::move(name),
          .archive = seal(regions),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE").append(error)};
}

Lie refused(std::string name, std::string record, std::string_view why) {
  return lie(std::move(name), regions_of(lossy_parts(std::move(record))), Seen::kRebuilding,
             std::string(": 'b' in the SIZE bytes at OFFSET: low-rank factors: ").append(why));
}

// The first value of left: `ones` raw bits 1 follow the escape.
std::string value_of_ones(unsigned ones) {
  RangeEncoder bits;
  AdaptiveBit shift(53248);
  bits.bit(shift, false);
  for (unsigned model = 0; model < 12; ++model) {
    AdaptiveBit more(model == 0 ? 18138 : model == 1 ? 37747 : 42060);
    bits.bit(more, true);
  }
  bits.raw((1u << ones) - 1, ones);
  return std::string(as_text(bits.finish()));
}

std::vector<Lie> record_lies() {
  const auto with = [](const std::function<void(Factors&)>& change) {
    Factors factors = no_factors();
    change(factors);
    return record_of(factors);
  };
  const std::string sound = with([](Factors& factors) { factors.left[0] = 1; });
  return {
      refused("no_rows", std::string(2, '\0') + sound.substr(2), "no rows or columns"),
      refused("other_columns", record_of("\x40", 1, 9), "of a matrix of another shape"),
      refused("rank_0", record_of("\x40", 0), "the rank is out of its range"),
      refused("no_code", record_of(""), "cut short"),
      refused("more_values_than_bytes", record_of("\x40", 205), "cut short"),
      refused("head_cut", sound.substr(0, 5), "it ends too early"),
      refused("bytes_behind", sound + std::string("\0\0\0\0\1", 5), "bytes behind the end"),
      refused("last_byte_0", sound + '\0', "bytes behind the end"),
      refused("shift_15", record_of(std::string(8, '\xff')), "a value is too large"),
      refused("value_beyond", record_of(value_of_ones(30)), "a value is too large"),
      refused("value_shifted_beyond", with([](Factors& factors) {
                factors.shifts[0] = 14;
                factors.left[1] = 2;
              }),
              "a value is too large"),
  };
}

// The tensor has more rows, so that the record may be so long.
Lie sum_beyond() {
  Factors factors = no_factors();
  factors.shifts = {0, 0, 0};
  factors.left.assign(size_t{3} * 2, 32767);
  factors.right.assign(size_t{3} * 8, 32767);
  Parts parts = lossy_parts(record_of(factors));
  parts.low_rank_tensor().shape = {1000, 8};
  return lie("sum_beyond", regions_of(parts), Seen::kRebuilding,
             ": 'b' in the SIZE bytes at OFFSET: low-rank factors: their product is too large");
}

// Their factors are sound, but are not those that it was packed with.
Lie other_factors() {
  Factors factors = no_factors();
  factors.left = {100, -100};
  factors.right[3] = 1000;
  return lie("other_factors", regions_of(lossy_parts(record_of(factors))), Seen::kRebuilding,
             ": tensor 'b' does not come out as it was packed");
}

// Which ends with 7 marks, of which the second is 1, and five numbers of 2 bytes.
constexpr size_t kNumbers = 10;
constexpr size_t kMarks = 7;
constexpr size_t kHashes = size_t{2} * 32;

// Refused at that byte of the body.
Lie misled(std::string name, const std::function<void(Regions&)>& change, std::string_view why,
           int at) {
  Regions regions = regions_of(lossy_sample());
  change(regions);
  return lie(
      std::move(name), regions, Seen::kOpening,
      fmt::format(": the archive's index can't be read: {} (at byte {} of the body)", why, at));
}

// `count` bytes missing at the end of the body.
Lie cut(std::string name, size_t count, int at) {
  const auto change = [count](Regions& regions) {
    regions.body.resize(regions.body.size() - count);
  };
  return misled(std::move(name), change, "it ends too early", at);
}

// The byte that is `behind` bytes from the end is another one.
Lie other_byte(std::string name, size_t behind, char byte, std::string_view why, int at) {
  const auto change = [=](Regions& regions) { regions.body[regions.body.size() - behind] = byte; };
  return misled(std::move(name), change, why, at);
}

std::vector<Lie> index_lies_of_losses() {
  constexpr std::string_view kFlags = "it has unknown flags";
  constexpr std::string_view kError = "an error has a size that it may not have";
  constexpr std::string_view kBehind = "bytes are left behind its end";
  const auto flags = [](char bits) { return [bits](Regions& regions) { regions.body[0] = bits; }; };
  return {
      misled(
          "flag_in_format_1", [](Regions& regions) { regions.version = 1; }, kFlags, 1),
      misled("flag_unknown", flags(8), kFlags, 1),
      misled("losses_of_an_exact_archive", flags(0), kBehind, 985),
      cut("no_losses", kHashes + kMarks + kNumbers, 985),
      cut("marks_cut", kNumbers + 1, 1055),
      cut("numbers_cut", 1, 1064),
      misled(
          "byte_behind", [](Regions& regions) { regions.body += '\0'; }, kBehind, 1066),
      other_byte("mark_2", kNumbers + kMarks, 2, "a tensor is neither exact nor lossy", 1050),
      other_byte("mark_of_no_numbers", kNumbers + kMarks, 1, "it ends too early", 1066),
      other_byte("no_tensor", kNumbers + kMarks - 1, 0, "it is lossy, but no tensor is", 1056),
      other_byte("error_over_infinity", kNumbers - 1, '\x80', kError, 1066),
      other_byte("largest_error_over_infinity", kNumbers - 3, '\x80', kError, 1066),
  };
}

}  // namespace

Parts lossy_sample() { return lossy_parts(record_of(no_factors())); }

std::vector<Lie> lossy_lies() {
  std::vector<Lie> lies = record_lies();
  lies.push_back(sum_beyond());
  lies.push_back(other_factors());
  std::ranges::move(index_lies_of_losses(), std::back_inserter(lies));
  return lies;
}

}  // namespace finedelta::corrupt
