#include "lossy/error_report.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/cast.h"

namespace finedelta {

namespace {

constexpr size_t kWidenedPiece = 4096;  // elements that are widened at a time

void widen(DType dtype, Bytes from, std::vector<float>& to) {
  to.resize(from.size() / dtype_unit(dtype));
  widen_elements(dtype, from.data(), to);
}

float share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 1.0f
                    : static_cast<float>(static_cast<double>(part) / static_cast<double>(whole));
}

constexpr uint16_t kInfinity = 0x7F80;  // of the upper half of an F32

uint16_t round_up(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0xFFFF) >> 16);
}

float widen(uint16_t upper) { return std::bit_cast<float>(uint32_t{upper} << 16); }

uint16_t pack_share(float share) { return static_cast<uint16_t>(std::lround(share * 65535)); }

float unpack_share(uint16_t share) { return static_cast<float>(share) / 65535; }

}  // namespace

StoredReport pack_report(const ErrorReport& report) {
  return {round_up(report.relative_error), round_up(report.largest_error),
          pack_share((report.cosine + 1) / 2), pack_share(report.sign_agreement),
          pack_share(report.zeros)};
}

std::optional<ErrorReport> unpack_report(const StoredReport& stored) {
  if (stored[0] > kInfinity || stored[1] > kInfinity) return std::nullopt;
  return ErrorReport{.relative_error = widen(stored[0]),
                     .largest_error = widen(stored[1]),
                     .cosine = 2 * unpack_share(stored[2]) - 1,
                     .sign_agreement = unpack_share(stored[3]),
                     .zeros = unpack_share(stored[4])};
}

void ErrorSums::add(DType dtype, Bytes fine, Bytes lossy, Bytes base) {
  std::vector<float> f, l, b;
  const size_t bytes = kWidenedPiece * dtype_unit(dtype);
  for (size_t at = 0; at < fine.size(); at += bytes) {
    const size_t size = std::min(bytes, fine.size() - at);
    widen(dtype, fine.subspan(at, size), f);
    widen(dtype, lossy.subspan(at, size), l);
    widen(dtype, base.subspan(at, size), b);
    add(f, l, b);
  }
}

// Without branches: they would be hard to foresee.
void ErrorSums::add(std::span<const float> fine, std::span<const float> lossy,
                    std::span<const float> base) {
  for (size_t i = 0; i < fine.size(); ++i) {
    const bool finite = std::isfinite(fine[i]) & std::isfinite(lossy[i]) & std::isfinite(base[i]);
    const double delta = finite ? double{fine[i]} - base[i] : 0;
    const double kept = finite ? double{lossy[i]} - base[i] : 0;
    const double error = kept - delta;
    error_ += error * error;
    fine_ += delta * delta;
    lossy_ += kept * kept;
    product_ += delta * kept;
    largest_ = std::max(largest_, std::abs(error));
    elements_ += finite ? 1 : 0;
    zeros_ += finite & (kept == 0) ? 1 : 0;
    changed_ += delta != 0 ? 1 : 0;
    agreeing_ += delta * kept > 0 ? 1 : 0;
  }
}

void ErrorSums::add(const ErrorSums& other) {
  error_ += other.error_;
  fine_ += other.fine_;
  lossy_ += other.lossy_;
  product_ += other.product_;
  largest_ = std::max(largest_, other.largest_);
  elements_ += other.elements_;
  changed_ += other.changed_;
  agreeing_ += other.agreeing_;
  zeros_ += other.zeros_;
}

ErrorReport ErrorSums::report() const {
  const double norms = std::sqrt(fine_ * lossy_);
  return {.relative_error = fine_ > 0 ? static_cast<float>(std::sqrt(error_ / fine_)) : 0,
          .largest_error = static_cast<float>(largest_),
          .cosine = norms > 0   ? static_cast<float>(product_ / norms)
                    : fine_ > 0 ? 0.0f
                                : 1.0f,
          .sign_agreement = share(agreeing_, changed_),
          .zeros = share(zeros_, elements_)};
}

}  // namespace finedelta
