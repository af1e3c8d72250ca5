#include "predict/low_rank/factors.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/adaptive_values.h"
#include "base/error.h"
#include "kernels/low_rank.h"
#include "predict/low_rank/adaptive.h"
#include "predict/low_rank/rice.h"

namespace finedelta {

namespace {

// In place of the rows, of which there is one at least: what follows is a record of this code.
constexpr uint8_t kAdaptiveMark = 0;

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kDamaged, "low-rank factors: {}", why);
}

int64_t largest_magnitude(std::span<const int16_t> values) {
  int64_t largest = 0;
  for (const int16_t value : values) largest = std::max<int64_t>(largest, std::abs(int{value}));
  return largest;
}

Status check_sums(const Factors& factors) {
  int64_t sum = 0;
  for (size_t k = 0; k < factors.rank(); ++k) {
    const auto column = [k](const std::vector<int16_t>& values, uint64_t length) {
      return largest_magnitude(std::span(values).subspan(k * length, length));
    };
    const int64_t left = column(factors.left, factors.rows) << factors.shifts[k];
    const int64_t right = column(factors.right, factors.columns);
    if (std::max(left, right) > kLargestLowRankFactor) return refuse("a value is too large");
    sum += left * right;
  }
  if (sum > kLargestLowRankSum) return refuse("their product is too large");
  return {};
}

Status check_numbers(uint64_t rows, uint64_t columns, uint64_t rank, float scale) {
  if (rows == 0 || columns == 0) return refuse("no rows or columns");
  if (rank == 0 || rank > kLargestRank) return refuse("the rank is out of its range");
  if (!is_low_rank_scale(scale)) return refuse("the scale is out of its range");
  return {};
}

void encode_rice_columns(std::span<const int16_t> values, size_t rank, ByteWriter& out) {
  const size_t length = values.size() / rank;
  for (size_t k = 0; k < rank; ++k) encode_rice(values.subspan(k * length, length), out);
}

void encode_rice_factors(const Factors& factors, ByteWriter& out) {
  out.bytes(std::as_bytes(std::span(factors.shifts)));
  encode_rice_columns(factors.left, factors.rank(), out);
  encode_rice_columns(factors.right, factors.rank(), out);
}

std::string_view decode_rice_factors(ByteReader& in, Factors& factors) {
  for (uint8_t& shift : factors.shifts) shift = in.u8();
  if (!in.ok()) return "it ends too early";
  std::vector<std::byte> buffer;
  BitReader bits(in.bytes(in.remaining()), buffer);
  for (auto* values : {&factors.left, &factors.right}) {
    const size_t length = values->size() / factors.rank();
    for (size_t k = 0; k < factors.rank(); ++k) {
      const std::string_view why =
          decode_rice(bits, std::span(*values).subspan(k * length, length));
      if (!why.empty()) return why;
    }
  }
  return bits.at() == bits.end() ? "" : "bytes behind the end";
}

}  // namespace

Status check_factors(const Factors& factors) {
  FINEDELTA_CHECK(check_numbers(factors.rows, factors.columns, factors.rank(), factors.scale));
  const auto has_size = [&factors](const std::vector<int16_t>& values, uint64_t length) {
    return values.size() % factors.rank() == 0 && values.size() / factors.rank() == length;
  };
  if (!has_size(factors.left, factors.rows) || !has_size(factors.right, factors.columns)) {
    return refuse("their number does not fit the matrix");
  }
  if (std::ranges::max(factors.shifts) > kLargestShift) return refuse("a shift is too large");
  return check_sums(factors);
}

std::vector<std::byte> encode_factors(const Factors& factors, FactorCode code) {
  ByteWriter out;
  if (code == FactorCode::kAdaptive) out.u8(kAdaptiveMark);
  out.varint(factors.rows);
  out.varint(factors.columns);
  out.varint(factors.rank());
  out.u32(std::bit_cast<uint32_t>(factors.scale));
  if (code == FactorCode::kAdaptive) {
    out.bytes(encode_adaptive(factors));
  } else {
    encode_rice_factors(factors, out);
  }
  return out.take();
}

FactorCode factor_code(Bytes record) {
  return !record.empty() && record[0] == std::byte{kAdaptiveMark} ? FactorCode::kAdaptive
                                                                  : FactorCode::kRice;
}

uint64_t factors_rank(Bytes head) {
  ByteReader in(head.subspan(factor_code(head) == FactorCode::kAdaptive ? 1 : 0));
  in.varint();
  in.varint();
  const uint64_t rank = in.varint();
  return rank > kLargestRank ? 0 : rank;
}

Result<Factors> decode_factors(Bytes record, uint64_t most) {
  const bool adaptive = factor_code(record) == FactorCode::kAdaptive;
  ByteReader in(record.subspan(adaptive ? 1 : 0));
  Factors factors = {.rows = in.varint(), .columns = in.varint()};
  const uint64_t rank = in.varint();
  factors.scale = std::bit_cast<float>(in.u32());
  if (!in.ok()) return refuse(in.why());
  FINEDELTA_CHECK(check_numbers(factors.rows, factors.columns, rank, factors.scale));
  // So that a short record can't ask for much memory: a Rice code has a bit at least.
  const uint64_t longest = in.remaining() * (adaptive ? kMostAdaptiveValues : 8) / rank;
  if (factors.rows > longest || factors.columns > longest - factors.rows) {
    return refuse("cut short");
  }
  if (rank * (factors.rows + factors.columns) > most) {
    return fail(ErrorCode::kFailure,
                "low-rank factors: too many for the memory limit; raise it with --memory");
  }
  factors.shifts.resize(rank);
  factors.left.resize(rank * factors.rows);
  factors.right.resize(rank * factors.columns);
  const std::string_view why = adaptive ? decode_adaptive(in.bytes(in.remaining()), factors)
                                        : decode_rice_factors(in, factors);
  if (!why.empty()) return refuse(why);
  FINEDELTA_CHECK(check_factors(factors));
  return factors;
}

}  // namespace finedelta
