#include "predict/low_rank/factors.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/error.h"
#include "kernels/low_rank.h"
#include "predict/low_rank/rice.h"

namespace finedelta {

namespace {

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

void encode_columns(std::span<const int16_t> values, size_t rank, ByteWriter& out) {
  const size_t length = values.size() / rank;
  for (size_t k = 0; k < rank; ++k) encode_rice(values.subspan(k * length, length), out);
}

}  // namespace

bool is_low_rank_scale(float scale) {
  const auto bits = std::bit_cast<uint32_t>(scale);
  return bits >= kSmallestLowRankScale && bits < kLowRankScaleEnd;
}

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

std::vector<std::byte> encode_factors(const Factors& factors) {
  ByteWriter out;
  out.varint(factors.rows);
  out.varint(factors.columns);
  out.varint(factors.rank());
  out.u32(std::bit_cast<uint32_t>(factors.scale));
  out.bytes(std::as_bytes(std::span(factors.shifts)));
  encode_columns(factors.left, factors.rank(), out);
  encode_columns(factors.right, factors.rank(), out);
  return out.take();
}

Result<Factors> decode_factors(Bytes record, uint64_t most) {
  ByteReader in(record);
  Factors factors = {.rows = in.varint(), .columns = in.varint()};
  const uint64_t rank = in.varint();
  const auto scale = std::bit_cast<float>(in.u32());
  if (!in.ok()) return refuse(in.why());
  FINEDELTA_CHECK(check_numbers(factors.rows, factors.columns, rank, scale));
  // Every value takes a bit at least, so that a short record can't ask for much memory.
  const uint64_t longest = in.remaining() * 8 / rank;
  if (factors.rows > longest || factors.columns > longest - factors.rows) {
    return refuse("cut short");
  }
  if (rank * (factors.rows + factors.columns) > most) {
    return fail(ErrorCode::kFailure,
                "low-rank factors: too many for the memory limit; raise it with --memory");
  }
  factors.scale = scale;
  for (uint64_t k = 0; k < rank; ++k) factors.shifts.push_back(in.u8());
  factors.left.resize(rank * factors.rows);
  factors.right.resize(rank * factors.columns);
  if (!in.ok()) return refuse(in.why());
  std::vector<std::byte> buffer;
  BitReader bits(in.bytes(in.remaining()), buffer);
  for (auto* values : {&factors.left, &factors.right}) {
    const size_t length = values->size() / rank;
    for (size_t k = 0; k < rank; ++k) {
      const std::string_view why =
          decode_rice(bits, std::span(*values).subspan(k * length, length));
      if (!why.empty()) return refuse(why);
    }
  }
  if (bits.at() != bits.end()) return refuse("bytes behind the end");
  FINEDELTA_CHECK(check_factors(factors));
  return factors;
}

}  // namespace finedelta
