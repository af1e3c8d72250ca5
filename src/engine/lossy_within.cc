#include "engine/lossy_within.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "coder/coder.h"
#include "engine/lossy_piece.h"
#include "lossy/error_report.h"

namespace finedelta {

namespace {

// What is expected is off by the rounding of values and by the rounding to the tensor's type: how
// often that is made up for, and how near to the error is near enough.
constexpr int kTries = 8;
constexpr double kNear = 0.97;
constexpr double kAim = 0.985;

// Of the whole tensor, by pieces as chunks are.
Result<double> measured_error(const LowRankQuestion& question, const LossyTensor& lossy) {
  const DType dtype = question.tensor.dtype;
  const uint64_t unit = dtype_unit(dtype);
  const uint64_t units = question.tensor.size / unit;
  const uint64_t columns = matrix_shape(question.shape).columns;
  LossyPiece piece;
  std::vector<std::byte> fine;
  ErrorSums sums;
  for (uint64_t first = 0; first < units; first += kChunkUnits) {
    fine.resize(std::min(kChunkUnits, units - first) * unit);
    FINEDELTA_CHECK(question.tensor.read(first * unit, fine));
    FINEDELTA_CHECK(piece.work(lossy, question.base, {dtype, columns, first}, fine));
    ErrorSums of_piece;
    of_piece.add(dtype, fine, piece.result(), piece.base());
    sums.add(of_piece);
  }
  // As it will be stated.
  return unpack_report(pack_report(sums.report()))->relative_error;
}

}  // namespace

Result<std::optional<LossyTensor>> lossy_within(const LossyFits& fits, size_t tensor,
                                                const LowRankQuestion& question, double error) {
  std::optional<LossyTensor> best;
  double expected = error;
  for (int i = 0; i < kTries; ++i) {
    FINEDELTA_ASSIGN(const auto distortion, fits.distortion_within(tensor, expected));
    if (!distortion) break;
    FINEDELTA_ASSIGN(LossyTensor lossy, fits.tensor(tensor, *distortion, kLeastError));
    FINEDELTA_ASSIGN(const double measured, measured_error(question, lossy));
    if (measured <= error) best = std::move(lossy);
    if (measured <= error && measured > kNear * error) break;
    expected *= kAim * error / measured;
  }
  return best;
}

}  // namespace finedelta
