// An adaptive binary range coder (G. N. N. Martin, 1979; carries as in LZMA): for few, precious
// bits such as those of low-rank factors. Predictor low_rank's spec.md has the arithmetic.
#ifndef FINEDELTA_BASE_RANGE_CODER_H_
#define FINEDELTA_BASE_RANGE_CODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace finedelta {

// How likely the next bit is 0, in 65536ths: the mean of two averages of the bits so far, of which
// one soon forgets. Never so likely that a bit costs less than 1/180.
class AdaptiveBit {
 public:
  static constexpr uint32_t kOne = 65536;
  static constexpr uint32_t kLeast = 256;

  constexpr AdaptiveBit() = default;
  explicit constexpr AdaptiveBit(uint16_t zero) : fast_(zero), slow_(zero) {}

  [[nodiscard]] uint32_t zero() const {
    const uint32_t mean = (fast_ + slow_) / 2;
    return mean < kLeast ? kLeast : mean > kOne - kLeast ? kOne - kLeast : mean;
  }
  void update(bool bit) {
    if (bit) {
      fast_ -= fast_ >> kFastShift;
      slow_ -= slow_ >> kSlowShift;
    } else {
      fast_ += (kOne - fast_) >> kFastShift;
      slow_ += (kOne - slow_) >> kSlowShift;
    }
  }

 private:
  static constexpr unsigned kFastShift = 4;
  static constexpr unsigned kSlowShift = 7;

  uint32_t fast_ = kOne / 2;
  uint32_t slow_ = kOne / 2;
};

// Encoder and decoder have the same two functions, so that one template describes both ways: what
// `bit` is given, the encoder writes and the decoder ignores; what it returns is the bit.
class RangeEncoder {
 public:
  bool bit(AdaptiveBit& model, bool bit) {
    split(bit, model.zero());
    model.update(bit);
    return bit;
  }
  // The lowest `count` bits of `value`, each as likely 0 as 1; the others must be 0.
  uint32_t raw(uint32_t value, unsigned count) {
    for (unsigned i = count; i-- > 0;) split((value >> i & 1) != 0, AdaptiveBit::kOne / 2);
    return value;
  }

  // All that was written, without the zero bytes at its end. Nothing may follow.
  std::vector<std::byte> finish();

 private:
  void split(bool bit, uint32_t zero) {
    const uint32_t bound = (range_ >> 16) * zero;
    if (bit) {
      low_ += bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    while (range_ < uint32_t{1} << 24) {
      range_ <<= 8;
      shift_out();
    }
  }
  void shift_out();

  uint64_t low_ = 0;  // of 32 bits and a carry
  uint32_t range_ = ~uint32_t{0};
  std::vector<std::byte> bytes_;
};

// Reads bytes that nobody vouches for: any bytes are some bits, and zeros follow them.
class RangeDecoder {
 public:
  explicit RangeDecoder(Bytes bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) shift_in();
  }

  bool bit(AdaptiveBit& model, bool /*ignored*/) {
    const bool bit = split(model.zero());
    model.update(bit);
    return bit;
  }
  uint32_t raw(uint32_t /*ignored*/, unsigned count) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      value = value << 1 | static_cast<uint32_t>(split(AdaptiveBit::kOne / 2));
    }
    return value;
  }

  // Whether the bits so far needed every byte: none is left over, and the last one is not zero.
  [[nodiscard]] bool at_end() const {
    return next_ >= bytes_.size() && (bytes_.empty() || bytes_.back() != std::byte{0});
  }

 private:
  bool split(uint32_t zero) {
    const uint32_t bound = (range_ >> 16) * zero;
    const bool bit = code_ >= bound;
    if (bit) {
      code_ -= bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    while (range_ < uint32_t{1} << 24) {
      range_ <<= 8;
      shift_in();
    }
    return bit;
  }
  void shift_in() {
    const uint32_t byte = next_ < bytes_.size() ? std::to_integer<uint32_t>(bytes_[next_]) : 0;
    code_ = code_ << 8 | byte;
    ++next_;
  }

  Bytes bytes_;
  size_t next_ = 0;
  uint32_t range_ = ~uint32_t{0};
  uint32_t code_ = 0;
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_RANGE_CODER_H_
