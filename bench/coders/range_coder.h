// A byte-wise range coder without carries (D. Subbotin, 1999): 32-bit arithmetic, totals of 2^16.
#ifndef FINEDELTA_BENCH_CODERS_RANGE_CODER_H_
#define FINEDELTA_BENCH_CODERS_RANGE_CODER_H_

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"

namespace finedelta::bench {

// The largest shift of `narrow`: totals are at most 2^16.
inline constexpr unsigned kRangeTotalLog = 16;

// The interval that encoder and decoder narrow in step.
class CodingRange {
 public:
  // To the part [begin, begin + size) of 2^shift. `size` is over 0.
  void narrow(uint32_t begin, uint32_t size, unsigned shift) {
    range_ >>= shift;
    low_ += begin * range_;
    range_ *= size;
  }

  // Calls `shift_byte(top byte)` for each byte that is settled. Where the interval gets small and
  // straddles a border, it is cut at that border: there is never a carry to pass on.
  template <typename ShiftByte>
  void normalize(ShiftByte shift_byte) {
    while (true) {
      if ((low_ ^ (low_ + range_)) >= kTop) {
        if (range_ >= kBottom) return;
        range_ = -low_ & (kBottom - 1);
      }
      shift_byte(static_cast<std::byte>(low_ >> 24));
      low_ <<= 8;
      range_ <<= 8;
    }
  }

 protected:
  static constexpr uint32_t kTop = 1u << 24;
  static constexpr uint32_t kBottom = 1u << 16;

  uint32_t low_ = 0;
  uint32_t range_ = ~0u;
};

// Writes at most 4 bytes a call of `encode` and 4 at the end; the caller provides the room.
class RangeEncoder : private CodingRange {
 public:
  explicit RangeEncoder(std::byte* out) : out_(out) {}

  void encode(uint32_t begin, uint32_t size, unsigned shift) {
    narrow(begin, size, shift);
    normalize([this](std::byte byte) { *out_++ = byte; });
  }

  // Ends the code; returns where it ends.
  std::byte* finish() {
    for (int i = 0; i < 4; ++i, low_ <<= 8) *out_++ = static_cast<std::byte>(low_ >> 24);
    return out_;
  }

 private:
  std::byte* out_;
};

// Reads zeros behind the end of its bytes.
class RangeDecoder : private CodingRange {
 public:
  explicit RangeDecoder(Bytes in) : next_(in.data()), end_(in.data() + in.size()) {
    for (int i = 0; i < 4; ++i) shift_in();
  }

  // Where in 2^shift the code lies; `consume` must follow, with the part around that place.
  [[nodiscard]] uint32_t target(unsigned shift) const {
    return std::min((code_ - low_) / (range_ >> shift), (1u << shift) - 1);
  }

  void consume(uint32_t begin, uint32_t size, unsigned shift) {
    narrow(begin, size, shift);
    normalize([this](std::byte) { shift_in(); });
  }

 private:
  void shift_in() { code_ = code_ << 8 | (next_ == end_ ? 0u : static_cast<uint32_t>(*next_++)); }

  const std::byte* next_;
  const std::byte* end_;
  uint32_t code_ = 0;
};

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_RANGE_CODER_H_
