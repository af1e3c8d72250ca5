#include "engine/low_rank_search.h"

#include <algorithm>

#include "base/error.h"
#include "engine/matrix_reader.h"
#include "kernels/cast.h"
#include "match/match.h"
#include "predict/low_rank/detect.h"

namespace finedelta {

namespace {

// Of smaller matrices the factors are as large as what they could save.
constexpr uint64_t kLeastSide = 16;

// What the index holds of factors, and what they must save beyond, in 1024ths: as for other
// factors, differences of estimates under that are noise.
constexpr uint64_t kRecordCost = 12;
constexpr uint64_t kMargin = 2;

// Adapters of up to this rank are found at every level, those of a higher one where every matrix is
// tried with so many.
constexpr size_t kLargestAdapter = 32;

// Factors of more than half of the rank would be larger than the matrix.
size_t affordable_rank_of_half(const MatrixShape& matrix, size_t rank) {
  const size_t half = std::min(matrix.rows, matrix.columns) / 2;
  return affordable_rank(matrix, std::min(rank, half));
}

class Search {
 public:
  Search(const LowRankQuestion& question, int level, Sampler& sampler)
      : question_(question), level_(level), sampler_(sampler) {}

  Result<std::optional<LowRankAnswer>> run() {
    // Rows that the base does not have are not part of the matrix.
    const MatrixShape base = matrix_shape(question_.base_shape);
    matrix_ = matrix_shape(question_.shape);
    matrix_.rows = std::min(matrix_.rows, base.rows);
    if (std::min(matrix_.rows, matrix_.columns) < kLeastSide) return std::nullopt;
    MatrixReader reader(question_.tensor, question_.base, matrix_);
    const MatrixPair pair = reader.pair();
    FINEDELTA_ASSIGN(const size_t rank, rank_to_try(pair));
    if (rank == 0) return std::nullopt;
    FINEDELTA_ASSIGN(const LowRankChoice choice, find_factors(pair, rank));
    if (!choice.factors) return std::nullopt;
    return confirm(*choice.factors);
  }

 private:
  // That of the level, or more where an adapter seems to have been merged.
  Result<size_t> rank_to_try(const MatrixPair& pair) {
    const size_t of_level = affordable_rank_of_half(matrix_, largest_rank(level_));
    const size_t of_adapter = affordable_rank_of_half(matrix_, kLargestAdapter);
    if (of_level >= of_adapter) return of_level;
    FINEDELTA_ASSIGN(const bool merged, looks_merged(pair));
    return merged ? of_adapter : of_level;
  }

  // Estimates with and without, by the coders that will be used.
  Result<std::optional<LowRankAnswer>> confirm(const Factors& factors) {
    FINEDELTA_ASSIGN(LowRankPredictor predictor, LowRankPredictor::make(factors));
    FINEDELTA_CHECK(sampler_.begin(question_.tensor));
    FINEDELTA_ASSIGN(const uint64_t without,
                     sampler_.estimate_from(question_.base, question_.formula, nullptr));
    FINEDELTA_ASSIGN(
        const uint64_t with,
        sampler_.estimate_from(question_.base, {.predictor = Predictor::kLowRank}, &predictor));
    std::vector<std::byte> record = encode_factors(factors);
    const uint64_t all = with + record.size() + kRecordCost;
    if (all + all / 1024 * kMargin >= without) return std::nullopt;
    return LowRankAnswer{
        .record = std::move(record), .predictor = std::move(predictor), .estimated_bytes = with};
  }

  const LowRankQuestion& question_;
  const int level_;
  Sampler& sampler_;
  MatrixShape matrix_;
};

}  // namespace

LowRankQuestion ask_low_rank(const Shard& shard, const safetensors::Tensor& tensor,
                             const Shard& base_shard, const safetensors::Tensor& base,
                             const Formula& formula) {
  return {.tensor = tensor_source(shard, tensor),
          .shape = tensor.shape,
          .base = tensor_source(base_shard, base),
          .base_shape = base.shape,
          .formula = formula};
}

size_t affordable_rank(const MatrixShape& matrix, size_t rank) {
  constexpr uint64_t kOversampling = 8;
  constexpr uint64_t kRowBlock = uint64_t{12} << 20;
  const uint64_t sides = 4 * (matrix.columns + 2 * std::max(matrix.rows, matrix.columns));
  const uint64_t most = (kLowRankSearchBytes - kRowBlock) / sides;
  if (matrix.columns > kRowBlock / 10 || most <= kOversampling) return 0;
  return std::min<uint64_t>({rank, most - kOversampling, matrix.rows, matrix.columns});
}

bool may_be_low_rank(const Formula& formula, DType base_dtype, const safetensors::Tensor& tensor) {
  const bool is_plain =
      formula.predictor == Predictor::kBase || formula.predictor == Predictor::kScaled;
  return is_plain && tensor.shape.size() >= 2 && is_castable(base_dtype) &&
         is_castable(tensor.dtype) && tensor.end > tensor.begin;
}

size_t largest_rank(int level) {
  constexpr size_t kRanks[] = {8, 16, 32, 64};
  return level < 6 ? 0 : kRanks[level - 6];
}

Result<std::optional<LowRankAnswer>> find_low_rank(const LowRankQuestion& question, int level,
                                                   Sampler& sampler) {
  return Search(question, level, sampler).run();
}

}  // namespace finedelta
