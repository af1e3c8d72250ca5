#include "engine/lossy_fits.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.h"
#include "base/threads.h"
#include "engine/matrix_reader.h"
#include "lossy/lossy_factors.h"
#include "lossy/residual_sample.h"

namespace finedelta {

namespace {

// Directions that are looked for, of small matrices all: a fit takes twelve operations for each
// direction and element.
size_t rank_to_try(const MatrixShape& shape) {
  constexpr size_t kMost = 128;
  const uint64_t side = std::min(shape.rows, shape.columns);
  return affordable_rank(shape, side <= kLargestRank ? side : kMost);
}

constexpr uint64_t kLeastLossySide = 4;

// How often a matrix is read: once less than the exponent that sharpens the spectrum. Where all
// directions are looked for, there is nothing to sharpen.
int passes(const MatrixShape& shape, size_t rank) {
  return rank == std::min(shape.rows, shape.columns) ? 2 : 3;
}

// Of the coder that writes steps: what a value takes at the least, and a chunk beside its values.
constexpr double kLeastStepBits = 1.0 / 160;
constexpr double kStepsHead = 12;

double step_bytes(float step, double expected, double elements) {
  if (step == 0) return 0;
  const double chunks = std::ceil(elements / double{kChunkUnits});
  return std::max(expected, kLeastStepBits * elements / 8) + kStepsHead * chunks;
}

Bytes bytes_of(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }
MutableBytes writable(std::vector<float>& values) {
  return std::as_writable_bytes(std::span(values));
}

}  // namespace

// Fits tensor by tensor, one for each thread.
class LossyFits::Fitting {
 public:
  Fitting(const Inputs& inputs, const PackPlan& plan, const PackOptions& options, LossyFits& fits)
      : inputs_(inputs), plan_(plan), options_(options), fits_(fits) {}

  Status run() {
    for_each_tensor(
        plan_.index, inputs_,
        [&](const archive::File&, const archive::Tensor& tensor, const Shard& shard,
            const safetensors::Tensor& source) { tensors_.push_back({&tensor, &shard, &source}); });
    fits_.matrices_.resize(tensors_.size());
    incomplete_.resize(tensors_.size());
    const unsigned threads = affordable_workers(options_, kLowRankSearchBytes, 0);
    FINEDELTA_CHECK(parallel_for(tensors_.size(), threads, options_.cancel,
                                 [&](uint64_t i, unsigned) { return fit(i); }));
    note_incomplete();
    return {};
  }

 private:
  struct Source {
    const archive::Tensor* tensor;
    const Shard* shard;
    const safetensors::Tensor* source;
  };

  Status fit(size_t number) {
    const auto& [tensor, shard, source] = tensors_[number];
    if (tensor->prediction.bases().size() != 1) return {};
    const TensorRef& ref = plan_.base_refs[tensor->prediction.bases()[0]];
    const safetensors::Tensor& base = inputs_.tensor(ref);
    const Formula& formula = tensor->prediction.formula;
    if (!may_be_low_rank(formula, base.dtype, *source)) return {};
    const MatrixShape shape = matrix_shape(source->shape);
    const size_t rank = rank_to_try(shape);
    if (std::min({shape.rows, shape.columns, rank}) < kLeastLossySide) return {};
    const auto question = ask_low_rank(*shard, *source, inputs_.shard(ref), base, formula);
    MatrixReader reader(question.tensor, question.base, shape);
    FINEDELTA_ASSIGN(const SingularDirections directions,
                     fit_low_rank(reader.pair(), {.rank = rank, .passes = passes(shape, rank)}));
    if (!directions.complete) {
      incomplete_[number] = true;
      return {};
    }
    Matrix matrix{
        .rows = shape.rows,
        .columns = shape.columns,
        .rank = directions.rank(),
        .energy = directions.energy,
        .unchanged = directions.unchanged,
        .largest_distortion = finedelta::largest_distortion(shape.rows, shape.columns, directions)};
    std::vector<float> rest;
    if (directions.rank() == rank && rank < std::min(shape.rows, shape.columns)) {
      FINEDELTA_ASSIGN(rest, sample_residual(reader.pair(), directions));
    }
    matrix.sampled = rest.size();
    FINEDELTA_ASSIGN(matrix.offset,
                     fits_.scratch_->append({bytes_of(directions.values), bytes_of(directions.left),
                                             bytes_of(directions.right), bytes_of(rest)}));
    fits_.matrices_[number] = matrix;
    return {};
  }

  void note_incomplete() const {
    if (!options_.note) return;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (!incomplete_[i]) continue;
      options_.note(
          fmt::format("tensor {} holds a NaN, an infinity or a change beyond 1e15, so it "
                      "is stored exactly",
                      quote(tensors_[i].tensor->name)));
    }
  }

  const Inputs& inputs_;
  const PackPlan& plan_;
  const PackOptions& options_;
  LossyFits& fits_;
  std::vector<Source> tensors_;
  std::vector<char> incomplete_;  // no bits: threads write to neighbours
};

Result<LossyFits> LossyFits::make(const Inputs& inputs, const PackPlan& plan,
                                  const std::string& directory, const PackOptions& options) {
  LossyFits fits;
  FINEDELTA_ASSIGN(fits.scratch_, ScratchFile::create(directory));
  FINEDELTA_CHECK(Fitting(inputs, plan, options, fits).run());
  return fits;
}

double LossyFits::unchanged_share() const {
  uint64_t unchanged = 0;
  double elements = 0;
  for (const auto& matrix : matrices_) {
    if (!matrix) continue;
    unchanged += matrix->unchanged;
    elements += matrix->elements();
  }
  return elements == 0 ? 0 : static_cast<double>(unchanged) / elements;
}

Result<Difference> LossyFits::outline(const Matrix& matrix) const {
  Difference known{.rows = matrix.rows, .columns = matrix.columns};
  known.directions.energy = matrix.energy;
  known.directions.values.resize(matrix.rank);
  known.rest.resize(matrix.sampled);
  known.piece = residual_piece(matrix.columns);
  const uint64_t sides = matrix.rank * (matrix.rows + matrix.columns);
  const uint64_t rest = matrix.offset + (matrix.rank + sides) * sizeof(float);
  FINEDELTA_CHECK(scratch_->read(matrix.offset, writable(known.directions.values)));
  FINEDELTA_CHECK(scratch_->read(rest, writable(known.rest)));
  return known;
}

Result<Difference> LossyFits::difference(const Matrix& matrix) const {
  FINEDELTA_ASSIGN(Difference known, outline(matrix));
  SingularDirections& directions = known.directions;
  directions.left.resize(matrix.rank * matrix.rows);
  directions.right.resize(matrix.rank * matrix.columns);
  const uint64_t left = matrix.offset + matrix.rank * sizeof(float);
  const uint64_t right = left + directions.left.size() * sizeof(float);
  FINEDELTA_CHECK(scratch_->read(left, writable(directions.left)));
  FINEDELTA_CHECK(scratch_->read(right, writable(directions.right)));
  return known;
}

Result<Approximation> LossyFits::approximation(const Matrix& matrix, double distortion,
                                               const Aim& aim) const {
  if (distortion >= matrix.largest_distortion) return Approximation{};
  FINEDELTA_ASSIGN(const Difference known, difference(matrix));
  return approximate(known, distortion, aim);
}

Result<LossyTensor> LossyFits::tensor(size_t number, double distortion, const Aim& aim) const {
  const Matrix& matrix = *matrices_[number];
  FINEDELTA_ASSIGN(const Approximation made, approximation(matrix, distortion, aim));
  LossyTensor tensor{.strength = made.strength,
                     .step = made.step,
                     .missing = aim.missing,
                     .number = number,
                     .step_bytes = static_cast<uint64_t>(
                         step_bytes(made.step, made.step_bytes, matrix.elements()))};
  if (!made.factors) return tensor;
  FINEDELTA_ASSIGN(LowRankPredictor predictor, LowRankPredictor::make(*made.factors));
  tensor.factors = LowRankAnswer{.record = encode_factors(*made.factors, FactorCode::kAdaptive),
                                 .predictor = std::move(predictor)};
  return tensor;
}

Result<std::optional<double>> LossyFits::distortion_within(size_t tensor, double error) const {
  constexpr int kHalvings = 40;
  const Matrix& matrix = *matrices_[tensor];
  FINEDELTA_ASSIGN(const Difference known, difference(matrix));
  const auto expected = [&](double logarithm) {
    return expected_error(known, matrix.largest_distortion * std::exp(logarithm));
  };
  double low = std::log(kLeastDistortion);
  double high = 0;
  if (expected(low) > error) return std::nullopt;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (expected(middle) > error ? high : low) = middle;
  }
  return matrix.largest_distortion * std::exp(low);
}

Result<uint64_t> LossyFits::bytes_at(double distortion, const PackOptions& options) const {
  const unsigned threads = affordable_workers(options, kLowRankSearchBytes, 0);
  std::atomic<uint64_t> bytes = 0;
  FINEDELTA_CHECK(
      parallel_for(matrices_.size(), threads, options.cancel, [&](uint64_t i, unsigned) -> Status {
        if (!matrices_[i]) return {};
        const Matrix& matrix = *matrices_[i];
        FINEDELTA_ASSIGN(const Approximation made, approximation(matrix, distortion, kBehaviour));
        bytes += static_cast<uint64_t>(step_bytes(made.step, made.step_bytes, matrix.elements()));
        if (made.factors) bytes += encode_factors(*made.factors, FactorCode::kAdaptive).size();
        return {};
      }));
  return bytes.load();
}

Result<double> LossyFits::expected_bytes_at(double distortion) const {
  double bytes = 0;
  for (const auto& matrix : matrices_) {
    if (!matrix || distortion >= matrix->largest_distortion) continue;
    FINEDELTA_ASSIGN(const Difference known, outline(*matrix));
    const ExpectedBytes expected = expected_bytes(known, distortion, kBehaviour);
    bytes += expected.factors + step_bytes(expected.step, expected.steps, matrix->elements());
  }
  return bytes;
}

double LossyFits::largest_distortion() const {
  double largest = 0;
  for (const auto& matrix : matrices_) {
    if (matrix) largest = std::max(largest, matrix->largest_distortion);
  }
  return largest;
}

}  // namespace finedelta
