#include "predict/low_rank/find.h"

#include "base/error.h"
#include "predict/low_rank/fit.h"
#include "predict/low_rank/refine.h"

namespace finedelta {

namespace {

constexpr int kRefiningPasses = 2;  // a third gains under 0.3 %

// Factors that leave less than half of what the base leaves come of a merged adapter: full
// fine-tunes gain up to a fifth. These gain 0.3 % by weights, for several times the work.
bool seems_merged(const LowRankChoice& choice) {
  return choice.factors && choice.factors->rank() <= kLargestRefinedRank &&
         choice.residual_bits + choice.factor_bits < choice.base_bits / 2;
}

}  // namespace

Result<LowRankChoice> find_factors(const MatrixPair& pair, size_t rank) {
  FINEDELTA_ASSIGN(const auto directions, fit_low_rank(pair, {.rank = rank}));
  FINEDELTA_ASSIGN(auto choice, quantise(pair, directions));
  if (!seems_merged(choice)) return choice;
  const uint64_t bytes =
      refine_bytes(pair.rows, pair.columns, directions.rank(), choice.factors->rank());
  if (bytes > kMostFindBytes) return choice;
  FINEDELTA_ASSIGN(const auto refined,
                   refine(pair, directions, choice.factors->rank(), kRefiningPasses));
  FINEDELTA_ASSIGN(auto better, quantise(pair, refined));
  const auto bits = [](const LowRankChoice& c) { return c.residual_bits + c.factor_bits; };
  return better.factors && bits(better) < bits(choice) ? std::move(better) : std::move(choice);
}

}  // namespace finedelta
