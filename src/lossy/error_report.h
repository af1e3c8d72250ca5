// How a lossy tensor differs from the one it stands for.
#ifndef FINEDELTA_LOSSY_ERROR_REPORT_H_
#define FINEDELTA_LOSSY_ERROR_REPORT_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "numeric/dtype.h"

namespace finedelta {

// After rounding to the tensor's type, and of elements whose values are finite. The delta is what a
// value is more than the base's.
struct ErrorReport {
  float relative_error = 0;  // root of the squared error over the delta's squares
  float largest_error = 0;   // of one element, its magnitude
  float cosine = 0;          // of the two deltas
  float sign_agreement = 0;  // share of the elements that changed whose delta has the right sign
  float zeros = 0;           // share of the elements that are as in the base
};

// As it is stored: the errors are rounded up, to 8 significant bits. docs/format.md, section 3.9.
using StoredReport = std::array<uint16_t, 5>;
[[nodiscard]] StoredReport pack_report(const ErrorReport& report);
// None for numbers that pack_report does not write.
[[nodiscard]] std::optional<ErrorReport> unpack_report(const StoredReport& stored);

// Sums over pieces of a tensor; those of several are added in a fixed order, for the same report
// every time.
class ErrorSums {
 public:
  // Elements of `dtype` (F16, BF16 or F32), as many in each: the fine-tune's, the lossy ones, and
  // the base's in the same type.
  void add(DType dtype, Bytes fine, Bytes lossy, Bytes base);
  void add(const ErrorSums& other);

  [[nodiscard]] ErrorReport report() const;

 private:
  void add(std::span<const float> fine, std::span<const float> lossy, std::span<const float> base);

  double error_ = 0;  // sums of squares and products
  double fine_ = 0;
  double lossy_ = 0;
  double product_ = 0;
  double largest_ = 0;
  uint64_t elements_ = 0;
  uint64_t changed_ = 0;
  uint64_t agreeing_ = 0;
  uint64_t zeros_ = 0;
};

}  // namespace finedelta

#endif  // FINEDELTA_LOSSY_ERROR_REPORT_H_
