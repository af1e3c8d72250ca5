#include "lora/fit_matrix.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "predict/low_rank/refine.h"
#include "predict/low_rank/rounding.h"

namespace finedelta::peft {

namespace {

constexpr uint64_t kMostFitBytes = uint64_t{192} << 20;
constexpr size_t kOversampling = 8;         // of fit_low_rank
constexpr uint64_t kBlockBytes = 10 << 20;  // likewise, of a block of rows
constexpr int kRefiningPasses = 2;

// A matrix of independent noise has no singular value over the edge (Z. D. Bai, Y. Q. Yin, 1988):
// its deviation times the sum of the roots of its sides. That of rounding is stronger in some rows
// than in others, which was seen to add half of that.
constexpr double kAboveEdge = 2;
// What is behind, in energies of the noise. Directions that are taken away took some of it along.
constexpr double kMostBehind = 1.25;
// The share of all energy that F32 arithmetic may leave behind.
constexpr double kArithmetic = 1e-6;

double square(double value) { return value * value; }

// What fit_low_rank takes for each rank.
uint64_t bytes_per_rank(uint64_t rows, uint64_t columns) {
  return sizeof(float) * (columns + 2 * std::max(rows, columns));
}

uint64_t block_bytes(uint64_t columns) { return std::max<uint64_t>(kBlockBytes, 10 * columns); }

void cut(SingularDirections& directions, size_t rank, const MatrixPair& pair) {
  directions.values.resize(rank);
  directions.left.resize(rank * pair.rows);
  directions.right.resize(rank * pair.columns);
}

}  // namespace

size_t rank_above_noise(const SingularDirections& directions, uint64_t rows, uint64_t columns,
                        double noise) {
  const auto m = static_cast<double>(rows);
  const auto n = static_cast<double>(columns);
  const double edge = std::sqrt(noise / (m * n)) * (std::sqrt(m) + std::sqrt(n));
  size_t rank = 0;
  double behind = directions.energy;
  while (rank < directions.rank() && directions.values[rank] > kAboveEdge * edge) {
    behind -= square(directions.values[rank++]);
  }
  return behind <= kMostBehind * noise + kArithmetic * directions.energy ? rank : 0;
}

Result<MatrixFit> fit_matrix(const MatrixPair& pair, size_t rank) {
  MatrixFit fit;
  FINEDELTA_ASSIGN(fit.directions, fit_low_rank(pair, {.rank = rank}));
  if (fit.directions.rank() == 0) return fit;
  FINEDELTA_ASSIGN(const double noise, rounding_energy(pair));
  const size_t exact = rank_above_noise(fit.directions, pair.rows, pair.columns, noise);
  if (exact == 0) return fit;
  fit.is_exact = true;
  const uint64_t bytes = refine_bytes(pair.rows, pair.columns, fit.directions.rank(), exact);
  if (exact <= kLargestRefinedRank && bytes <= kMostFitBytes) {
    FINEDELTA_ASSIGN(fit.directions, refine(pair, fit.directions, exact, kRefiningPasses));
  }
  cut(fit.directions, std::min(exact, fit.directions.rank()), pair);
  double squares = 0;
  for (const float value : fit.directions.values) squares += square(value);
  fit.share = std::clamp((fit.directions.energy - noise) / squares, 0.0, 1.0);
  return fit;
}

uint64_t fit_bytes(uint64_t rows, uint64_t columns, size_t rank) {
  const uint64_t fit =
      (rank + kOversampling) * bytes_per_rank(rows, columns) + block_bytes(columns);
  const uint64_t refined = refine_bytes(rows, columns, rank, std::min(rank, kLargestRefinedRank));
  return std::max(fit, refined <= kMostFitBytes ? refined : 0);
}

size_t largest_rank(uint64_t rows, uint64_t columns) {
  const uint64_t block = block_bytes(columns);
  const uint64_t most =
      (kMostFitBytes - std::min(block, kMostFitBytes)) / bytes_per_rank(rows, columns);
  const uint64_t of_memory = most > kOversampling ? most - kOversampling : 1;
  return std::min({of_memory, rows, columns});
}

}  // namespace finedelta::peft
