// Factors of predictor low rank, and what the index says of them, that break a rule of
// src/predict/low_rank/spec.md or docs/format.md each.
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/bytes.h"
#include "base/error.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

// Of tensor "b": 2 rows and 8 columns, 32 bytes.
struct Record {
  uint64_t rows = 2;
  uint64_t columns = 8;
  uint64_t rank = 1;
  float scale = 0x1p-10f;
  std::string shifts = std::string(1, '\0');
  std::string values = {};  // the columns
};

std::string bytes_of(const Record& record) {
  ByteWriter out;
  out.varint(record.rows);
  out.varint(record.columns);
  out.varint(record.rank);
  out.u32(std::bit_cast<uint32_t>(record.scale));
  out.bytes(as_bytes(record.shifts));
  out.bytes(as_bytes(record.values));
  return std::string(as_text(out.view()));
}

// A column of Rice codes, the bits as they are read; zeros fill the last byte.
std::string column(char parameter, const std::string& bits) {
  std::string bytes((bits.size() + 7) / 8, '\0');
  for (size_t i = 0; i < bits.size(); ++i) {
    bytes[i / 8] = static_cast<char>(bytes[i / 8] | (bits[i] - '0') << i % 8);
  }
  return parameter + bytes;
}

// With the largest parameter: 16 bits for a value under 2^15, folded, one more for a larger one.
std::string wide_column(const std::vector<uint32_t>& folded) {
  constexpr unsigned kParameter = 15;
  std::string bits;
  for (const uint32_t value : folded) {
    bits += std::string(value >> kParameter, '0') + '1';
    for (unsigned i = 0; i < kParameter; ++i) bits += (value >> i & 1) != 0 ? '1' : '0';
  }
  return column(kParameter, bits);
}

const std::string kOnes = std::string(8, '1');                // eight zeros, at parameter 0
const std::string kLeft = column('\0', "00100001");           // 1, 2
const std::string kRight = column('\1', "1011101110111011");  // 0, -1, 0, -1, ...
const std::string kNoRight = column('\0', kOnes);

Record sound() { return {.values = kLeft + kNoRight}; }

Lie lie(std::string name, const Parts& parts, Seen seen, std::string_view error) {
  return {.name = "low_rank_" + std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE").append(error)};
}

// Other factors, of which the reader says why they are none.
Lie refused_bytes(std::string name, std::string record, std::string_view why) {
  Parts parts = sample_parts();
  parts.set_factors(std::move(record));
  return lie(std::move(name), parts, Seen::kRebuilding,
             std::string(": 'b' in the SIZE bytes at OFFSET: low-rank factors: ").append(why));
}

// A record that begins as one of format 2 does, in an archive of format 1.
Lie newer(std::string name, const Record& record) {
  Parts parts = sample_parts();
  parts.set_factors(bytes_of(record));
  return lie(std::move(name), parts, Seen::kChecking,
             ": the SIZE bytes at OFFSET are factors of a newer format");
}

Lie refused(std::string name, const Record& record, std::string_view why) {
  return refused_bytes(std::move(name), bytes_of(record), why);
}

// An index that says something else.
Lie misled(std::string name, const std::function<void(Parts&)>& change, std::string_view why) {
  Parts parts = sample_parts();
  parts.set_factors(bytes_of(sound()));
  change(parts);
  return lie(std::move(name), parts, Seen::kOpening,
             std::string(": the archive's index can't be read: ").append(why));
}

Lie of_size(std::string name, uint64_t size, std::vector<uint64_t> shape, std::string_view why) {
  return misled(
      std::move(name),
      [&](Parts& parts) {
        parts.low_rank_tensor().factors.size = size;
        parts.low_rank_tensor().shape = std::move(shape);
      },
      why);
}

// Other tensors of the model.
Lie of_tensor(std::string name, size_t tensor, uint32_t base, std::string_view why) {
  return misled(
      std::move(name),
      [&](Parts& parts) {
        archive::Tensor& other = *(&parts.low_rank_tensor() + static_cast<ptrdiff_t>(tensor) - 1);
        other.prediction = Prediction<uint32_t>::low_rank(base);
        other.factors = {.size = 10, .hash = 0};
      },
      why);
}

std::vector<Lie> index_lies_of_factors() {
  constexpr std::string_view kSize = "a predictor has factors of a size that they may not have";
  constexpr std::string_view kGap = "its chunks do not fill the payload (at byte 490 of the body)";
  constexpr std::string_view kTensor = "a tensor can't be predicted from its base tensor";
  const auto at = [](std::string_view why, int byte) {
    return fmt::format("{} (at byte {} of the body)", why, byte);
  };
  constexpr uint64_t kMany = uint64_t{1} << 40;
  return {
      of_size("no_factors", 0, {2, 8}, at(kSize, 313)),
      of_size("factors_as_large_as_the_tensor", 32, {2, 8}, at(kSize, 313)),
      of_size("factors_over_1_gib", (uint64_t{1} << 30) + 1, {kMany, 8}, at(kSize, 322)),
      of_size("factors_of_size_2_64", ~uint64_t{0}, {kMany, 8}, at(kSize, 327)),
      of_size("factors_of_no_elements", 1, {0, 8}, at(kSize, 313)),
      of_size("factors_beyond_the_archive", 10000, {1000, 8},
              at("its chunks are larger than the archive", 487)),
      of_size("factors_too_long", 31, {2, 8}, kGap),
      of_size("factors_too_short", 1, {2, 8}, kGap),
      of_tensor("of_a_vector", 0, 0, at(kTensor, 305)),
      of_tensor("of_integers", 5, 3, at(kTensor, 350)),
      of_tensor("of_no_base_tensor", 0, 4, at("it names a record that is not there", 296)),
      misled(
          "of_another_dtype", [](Parts& parts) { parts.low_rank_tensor().dtype = DType::kI16; },
          at(kTensor, 313)),
  };
}

std::vector<Lie> hash_lies() {
  Parts parts = sample_parts();
  parts.set_factors(bytes_of(sound()));
  parts.low_rank_tensor().factors.hash ^= 1;
  Parts other = sample_parts();
  other.set_factors(bytes_of({.values = kLeft + kRight}));
  return {
      lie("stored_hash", parts, Seen::kChecking, ": the SIZE bytes at OFFSET are damaged"),
      lie("other_factors", other, Seen::kRebuilding,
          ": tensor 'b' does not come out as it was packed"),
  };
}

std::vector<Lie> head_lies() {
  constexpr std::string_view kShape = "of a matrix of another shape";
  constexpr std::string_view kRank = "the rank is out of its range";
  constexpr std::string_view kScale = "the scale is out of its range";
  const std::string nine = column('\0', std::string(9, '1'));
  const auto with_scale = [](float scale) {
    Record record = sound();
    record.scale = scale;
    return record;
  };
  return {
      newer("no_rows", {.rows = 0, .values = kNoRight}),
      refused("no_columns", {.columns = 0, .values = kLeft}, "no rows or columns"),
      refused("other_columns", {.columns = 9, .values = kLeft + nine}, kShape),
      refused("transposed", {.rows = 8, .columns = 2, .values = kNoRight + kLeft}, kShape),
      refused("more_rows", {.rows = 3, .values = column('\0', "111") + kNoRight}, kShape),
      refused("rank_0", {.rank = 0}, kRank),
      refused("rank_257", {.rank = 257}, kRank),
      refused("scale_0", with_scale(0), kScale),
      refused("scale_below", with_scale(0x1.fffffep-101f), kScale),
      refused("scale_above", with_scale(0x1p64f), kScale),
      refused("scale_negative", with_scale(-0x1p-10f), kScale),
      refused("scale_infinite", with_scale(std::numeric_limits<float>::infinity()), kScale),
      refused("scale_nan", with_scale(std::nanf("")), kScale),
      refused("rank_of_a_giant", {.rank = 256, .values = kLeft}, "cut short"),
      refused("rows_of_a_giant", {.rows = uint64_t{1} << 62, .values = kLeft}, "cut short"),
      refused("columns_of_a_giant", {.columns = ~uint64_t{0}, .values = kLeft}, "cut short"),
      refused_bytes("long_varint", std::string("\x82\0", 2) + bytes_of(sound()).substr(1),
                    "a number is not in its shortest form"),
      refused_bytes("head_cut", bytes_of(sound()).substr(0, 6), "it ends too early"),
  };
}

// Three ranks of the largest values. The tensor has more rows, so that the record may be so long.
Lie sum_beyond() {
  const std::string left = wide_column(std::vector<uint32_t>(2, 65534));
  const std::string right = wide_column(std::vector<uint32_t>(8, 65534));
  Parts parts = sample_parts();
  parts.low_rank_tensor().shape = {1000, 8};
  parts.set_factors(bytes_of({.rank = 3,
                              .shifts = std::string(3, '\0'),
                              .values = left + left + left + right + right + right}));
  return lie("sum_beyond", parts, Seen::kRebuilding,
             ": 'b' in the SIZE bytes at OFFSET: low-rank factors: their product is too large");
}

std::vector<Lie> value_lies() {
  const auto with = [](std::string values) { return Record{.values = std::move(values)}; };
  const std::string whole = bytes_of(sound());
  return {
      refused("shift_15", {.shifts = "\x0f", .values = kLeft + kNoRight}, "a shift is too large"),
      refused("parameter_16", with(std::string("\x10\x03", 2) + kNoRight),
              "a parameter is too large"),
      refused("value_folded_to_65535", with(wide_column({65535, 0}) + kNoRight),
              "a value is too large"),
      refused("value_of_many_zeros",
              with(std::string("\x0f", 1) + std::string(10, '\0') + kNoRight),
              "a value is too large"),
      refused("value_shifted_beyond",
              {.shifts = "\x0e", .values = column('\0', "000011") + kNoRight},
              "a value is too large"),
      sum_beyond(),
      refused("bit_behind_a_column", with(column('\0', "111") + kNoRight),
              "a set bit behind the last value"),
      refused("last_value_cut", with(kLeft + column('\1', "1011101110111001")),
              "it ends too early"),
      refused("last_column_cut", with(kLeft + std::string(2, '\0')), "it ends too early"),
      refused_bytes("record_cut", whole.substr(0, whole.size() - 1), "it ends too early"),
      refused_bytes("byte_behind", whole + '\0', "bytes behind the end"),
  };
}

}  // namespace

std::vector<Lie> low_rank_lies() {
  std::vector<Lie> lies;
  for (auto* group : {index_lies_of_factors, hash_lies, head_lies, value_lies}) {
    for (Lie& made : group()) lies.push_back(std::move(made));
  }
  return lies;
}

}  // namespace finedelta::corrupt
