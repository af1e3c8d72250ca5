#include "predict/low_rank/quantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "predict/low_rank/predictor.h"
#include "predict/low_rank/residual_bits.h"

namespace finedelta {

namespace {

constexpr uint64_t kSampleElements = uint64_t{1} << 18;
constexpr uint64_t kSampleRows = 32;
constexpr double kBitsPerColumn = 16;  // its parameters
// Below this share of the base's bits a gain is not worth the time it takes to unpack.
constexpr double kSmallestGain = 1.0 / 256;

// The step of direction k is the root of scale * 2^shift: the error of a factor counts as much as
// the direction's singular value, so strong directions need fine steps. With the square of the
// steps inverse to the singular values every direction adds the same error.
struct Steps {
  float scale;
  std::vector<uint8_t> shifts;

  Steps(std::span<const float> values, size_t rank, float step) : scale(step * step / values[0]) {
    for (size_t k = 0; k < rank; ++k) {
      const double shift = std::round(std::log2(values[0] / values[k]));
      shifts.push_back(static_cast<uint8_t>(std::clamp(shift, 0.0, double{kLargestShift})));
    }
  }
  // One over the step of direction k, times the root of its singular value.
  [[nodiscard]] float gain(std::span<const float> values, size_t k) const {
    return std::sqrt(values[k] / (scale * static_cast<float>(1u << shifts[k])));
  }
};

// Of integers whose mean square is `square`, as if they were drawn from a normal distribution: no
// other one of that spread has more.
double bits_per_factor(double square) {
  return 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * (square + 1.0 / 12));
}

// Rows of both matrices, evenly spread, and the left directions at those rows.
class Sample {
 public:
  Sample(const MatrixPair& pair, const SingularDirections& directions)
      : pair_(pair),
        count_(std::min(pair.rows, std::max(kSampleRows, kSampleElements / pair.columns))),
        directions_{.values = directions.values, .right = directions.right} {
    for (size_t k = 0; k < directions.rank(); ++k) {
      for (uint64_t i = 0; i < count_; ++i) {
        directions_.left.push_back(directions.left[k * pair.rows + row(i)]);
      }
    }
  }

  Status read() {
    const size_t row_bytes = pair_.columns * dtype_unit(pair_.dtype);
    for (auto* bytes : {&fine_, &base_, &prediction_}) bytes->resize(count_ * row_bytes);
    for (uint64_t i = 0; i < count_; ++i) {
      const auto part = [&](std::vector<std::byte>& bytes) {
        return MutableBytes(bytes).subspan(i * row_bytes, row_bytes);
      };
      FINEDELTA_CHECK(pair_.read_fine(row(i), part(fine_)));
      FINEDELTA_CHECK(pair_.read_base(row(i), part(base_)));
    }
    return {};
  }

  [[nodiscard]] double base_bits() const { return bits(base_); }

  // None where the factors leave their bounds.
  [[nodiscard]] std::optional<double> bits_with(size_t rank, float step) {
    const auto factors = quantise_with(count_, pair_.columns, directions_, rank, step);
    if (!factors) return std::nullopt;
    const auto predictor = LowRankPredictor::make(*factors);
    if (!predictor) return std::nullopt;
    predictor->predict(pair_.dtype, 0, base_, prediction_);
    return bits(prediction_);
  }

 private:
  [[nodiscard]] uint64_t row(uint64_t i) const { return i * pair_.rows / count_; }
  [[nodiscard]] double bits(Bytes prediction) const {
    return residual_bits(pair_.dtype, fine_, prediction, pair_.rows * pair_.columns);
  }

  const MatrixPair& pair_;
  uint64_t count_;
  SingularDirections directions_;
  std::vector<std::byte> fine_;
  std::vector<std::byte> base_;
  std::vector<std::byte> prediction_;
};

constexpr std::array<size_t, 14> kRanks = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256};

}  // namespace

double factor_bits(uint64_t rows, uint64_t columns, std::span<const float> values, size_t rank,
                   float step) {
  const Steps steps(values, rank, step);
  double bits = 0;
  for (size_t k = 0; k < rank; ++k) {
    const double gain = steps.gain(values, k);
    for (const uint64_t length : {rows, columns}) {
      const auto count = static_cast<double>(length);
      bits += count * bits_per_factor(gain * gain / count) + kBitsPerColumn;
    }
  }
  return bits;
}

int16_t nearest_factor(float value) {
  const float within = std::clamp(value, -32767.0f, 32767.0f);
  return static_cast<int16_t>(within + std::copysign(0.5f, within));
}

std::optional<Factors> quantise_with(uint64_t rows, uint64_t columns,
                                     const SingularDirections& directions, size_t rank,
                                     float step) {
  const Steps steps(directions.values, rank, step);
  if (!is_low_rank_scale(steps.scale)) return std::nullopt;
  Factors factors = {
      .rows = rows, .columns = columns, .scale = steps.scale, .shifts = steps.shifts};
  for (size_t k = 0; k < rank; ++k) {
    const float gain = steps.gain(directions.values, k);
    for (uint64_t i = 0; i < rows; ++i) {
      factors.left.push_back(nearest_factor(directions.left[k * rows + i] * gain));
    }
    for (uint64_t i = 0; i < columns; ++i) {
      factors.right.push_back(nearest_factor(directions.right[k * columns + i] * gain));
    }
  }
  if (!check_factors(factors)) return std::nullopt;
  return factors;
}

namespace {

// Walks downhill over ranks and steps, from the largest rank and a step about as large as the
// spread of its direction's factors.
class Search {
 public:
  Search(const MatrixPair& pair, const SingularDirections& directions, Sample& sample)
      : pair_(pair), directions_(directions), sample_(sample) {
    for (const size_t rank : kRanks) {
      if (rank < directions.rank()) ranks_.push_back(rank);
    }
    ranks_.push_back(std::min(directions.rank(), kLargestRank));
  }

  struct Point {
    int rank = 0;  // index into ranks_
    int step = 0;  // its logarithm to the base sqrt(2)
    double residual_bits = 0;
    double factor_bits = 0;
    [[nodiscard]] double bits() const { return residual_bits + factor_bits; }
    bool operator<(const Point& other) const { return bits() < other.bits(); }
  };

  Point run() {
    const size_t rank = ranks_.back();
    // On the longer side, whose factors are the smaller ones.
    const double spread = 1 / std::sqrt(static_cast<double>(std::max(pair_.rows, pair_.columns)));
    const double step = directions_.values[rank - 1] * spread;
    Point best = start(static_cast<int>(std::round(2 * std::log2(step))));
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& [rank_move, step_move] : kMoves) {
        // Goes on in one direction as long as it helps.
        for (;;) {
          const Point next = at(best.rank + rank_move, best.step + step_move);
          if (!(next < best)) break;
          best = next;
          moved = true;
        }
      }
    }
    return best;
  }

  [[nodiscard]] size_t rank(const Point& point) const {
    return ranks_[static_cast<size_t>(point.rank)];
  }
  [[nodiscard]] static float step(const Point& point) {
    return static_cast<float>(std::exp2(0.5 * point.step));
  }

 private:
  // The step of a direction of noise may be so fine that the factors of strong ones leave their
  // bounds: then the finest that keeps them.
  Point start(int step) {
    constexpr int kMostSteps = 80;  // noise under fit.cc's kWeakest is no direction
    const int rank = static_cast<int>(ranks_.size()) - 1;
    Point point = at(rank, step);
    for (int i = 0; i < kMostSteps && std::isinf(point.residual_bits); ++i) {
      point = at(rank, ++step);
    }
    return point;
  }

  static constexpr std::array<std::array<int, 2>, 4> kMoves = {{{-1, 0}, {0, -1}, {0, 1}, {1, 0}}};

  Point at(int rank_index, int step_index) {
    Point point = {.rank = rank_index, .step = step_index, .residual_bits = HUGE_VAL};
    if (rank_index < 0 || rank_index >= static_cast<int>(ranks_.size())) return point;
    if (const auto seen = seen_.find({rank_index, step_index}); seen != seen_.end()) {
      return seen->second;
    }
    const auto bits = sample_.bits_with(rank(point), step(point));
    if (bits) point.residual_bits = *bits;
    point.factor_bits =
        factor_bits(pair_.rows, pair_.columns, directions_.values, rank(point), step(point));
    seen_[{rank_index, step_index}] = point;
    return point;
  }

  const MatrixPair& pair_;
  const SingularDirections& directions_;
  Sample& sample_;
  std::vector<size_t> ranks_;
  std::map<std::pair<int, int>, Point> seen_;
};

}  // namespace

Result<LowRankChoice> quantise(const MatrixPair& pair, const SingularDirections& directions) {
  Sample sample(pair, directions);
  FINEDELTA_CHECK(sample.read());
  LowRankChoice choice = {.base_bits = sample.base_bits()};
  choice.residual_bits = choice.base_bits;
  if (directions.rank() == 0) return choice;
  Search search(pair, directions, sample);
  const auto best = search.run();
  if (!(best.bits() < choice.base_bits * (1 - kSmallestGain))) return choice;
  // Rows beyond the sample may hold factors too large for this step.
  for (int coarser = 0; coarser < 8 && !choice.factors; ++coarser) {
    auto point = best;
    point.step += coarser;
    choice.factors =
        quantise_with(pair.rows, pair.columns, directions, search.rank(best), Search::step(point));
  }
  if (!choice.factors) return choice;
  choice.residual_bits = best.residual_bits;
  choice.factor_bits = best.factor_bits;
  return choice;
}

}  // namespace finedelta
