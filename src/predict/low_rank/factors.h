// Two narrow integer matrices whose product is what a matrix gained over its base, and their record
// in an archive. spec.md says what the fields mean.
#ifndef FINEDELTA_PREDICT_LOW_RANK_FACTORS_H_
#define FINEDELTA_PREDICT_LOW_RANK_FACTORS_H_

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"

namespace finedelta {

inline constexpr size_t kLargestRank = 256;
inline constexpr unsigned kLargestShift = 14;

// Element (i, j) of the product is scale * sum over k of (left[k][i] << shifts[k]) * right[k][j].
struct Factors {
  uint64_t rows = 0;
  uint64_t columns = 0;
  float scale = 0;
  std::vector<uint8_t> shifts;  // one for each rank
  std::vector<int16_t> left;    // rank x rows: one column of the left factor after another
  std::vector<int16_t> right;   // rank x columns

  [[nodiscard]] size_t rank() const { return shifts.size(); }
};

// Whether sizes agree and numbers are within their bounds: those of kernels/low_rank.h for the
// shifted factors, and 1 to kLargestRank, 0 to kLargestShift. kDamaged, with the reason, if not.
Status check_factors(const Factors& factors);

// How the values are written. Rice codes are read twenty times as fast; adaptive ones can take less
// than a bit, and are known to readers of format 2 only.
enum class FactorCode : uint8_t { kRice, kAdaptive };

// Needs factors that check_factors accepts; for the adaptive code, shifts that do not fall.
[[nodiscard]] std::vector<std::byte> encode_factors(const Factors& factors,
                                                    FactorCode code = FactorCode::kRice);

// Which one a record uses.
[[nodiscard]] FactorCode factor_code(Bytes record);

// How many bytes of a record `factors_rank` needs at most, and the rank that they promise; 0 for
// what is no record.
inline constexpr size_t kFactorsHead = 40;
[[nodiscard]] uint64_t factors_rank(Bytes head);

// kDamaged for anything that encode_factors could not have written but for its choice of Rice
// parameters; kFailure for more than `most` values, before it allocates them. A record holds at
// most kMostAdaptiveValues values for each of its bytes.
Result<Factors> decode_factors(Bytes record, uint64_t most = ~uint64_t{0});

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_FACTORS_H_
