// Streams of bits, the lowest bit of each byte first.
#ifndef FINEDELTA_BASE_BIT_STREAM_H_
#define FINEDELTA_BASE_BIT_STREAM_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace finedelta {

// Where a BitWriter writes next: a loop that puts many bits keeps a copy in registers, which it may
// not do with the writer itself (bytes that are stored might be the writer's own).
struct BitSink {
  std::byte* next = nullptr;
  uint64_t pending = 0;
  unsigned filled = 0;  // bits in `pending`, under 8

  // The lowest `count` bits of `value`, at most 56; the others must be 0.
  void put(uint64_t value, unsigned count) {
    // No branch, which could not be foreseen: whole bytes are moved on, the rest is stored again.
    pending |= value << filled;
    filled += count;
    store(next, pending);
    next += filled / 8;
    pending >>= filled / 8 * 8;
    filled %= 8;
  }

  // `value` as so many one bits, then a zero bit.
  void put_unary(uint64_t value) {
    for (; value >= 31; value -= 31) put(0x7FFF'FFFF, 31);
    put((uint64_t{1} << value) - 1, static_cast<unsigned>(value) + 1);
  }
};

// Appends bits to a buffer of its own, whose memory is kept from one use to the next.
class BitWriter {
 public:
  void clear() {
    size_ = 0;
    pending_ = 0;
    filled_ = 0;
  }

  // Takes at most `bits` more bits, until it is given back.
  BitSink sink(size_t bits) {
    const size_t needed = size_ + bits / 8 + 16;
    if (bytes_.size() < needed) bytes_.resize(needed + needed / 2);
    return {.next = bytes_.data() + size_, .pending = pending_, .filled = filled_};
  }
  void give_back(const BitSink& sink) {
    size_ = static_cast<size_t>(sink.next - bytes_.data());
    pending_ = sink.pending;
    filled_ = sink.filled;
  }

  // The first `count` bits at `bits`, of which whole words of 8 bytes must be readable.
  void append(const std::byte* bits, size_t count);

  [[nodiscard]] size_t bits() const { return size_ * 8 + filled_; }

  // All bits so far; those that fill the last byte are 0. Valid until the next change.
  Bytes finish();

 private:
  std::vector<std::byte> bytes_;
  size_t size_ = 0;  // bytes that are complete
  uint64_t pending_ = 0;
  unsigned filled_ = 0;  // bits in pending_, under 8
};

// Takes bits from bytes that nobody vouches for. A loop that takes many keeps a copy, as of a
// BitSink. Behind the end every call gives zeros and the reader fails: `ok` is asked once, after a
// bounded number of calls.
class BitReader {
 public:
  // The bytes are copied: `buffer` keeps them, and is reused. There is room for `more` bytes.
  BitReader(Bytes data, std::vector<std::byte>& buffer, size_t more = 0);

  // These bytes follow. There must be room for them.
  void append(Bytes data);

  // The next `count` bits, at most 32.
  uint64_t take(unsigned count) {
    const uint64_t value = peek() & ((uint64_t{1} << count) - 1);
    skip(count);
    return value;
  }

  // The number of one bits before the next zero bit, which is taken too.
  uint64_t take_unary() {
    uint64_t ones = 0;
    for (;;) {
      const auto run = static_cast<unsigned>(std::countr_one(peek() & kPeeked));
      ones += run;
      if (run < 56) {
        skip(run + 1);
        return ones;
      }
      skip(run);
    }
  }

  // A number written as a Rice code: as many ones as its bits from `low` on say, a zero, and its
  // `low` lowest bits, at most 32.
  uint64_t take_rice(unsigned low) {
    const uint64_t next = peek() & kPeeked;
    const auto ones = static_cast<unsigned>(std::countr_one(next));
    if (ones + 1 + low > 56) {
      const uint64_t high = take_unary();
      return (high << low) + take(low);
    }
    skip(ones + 1 + low);
    return (uint64_t{ones} << low) + (next >> (ones + 1) & ((uint64_t{1} << low) - 1));
  }

  // The next `count` bits at `bits`, in whole words of 8 bytes; what fills the last word is 0.
  void take_all(std::byte* bits, size_t count);

  [[nodiscard]] bool ok() const { return at_ <= end_; }

  // For loops of their own: bits `at` to `end` of `data` are left, and behind them are 16 bytes of
  // zeros. Afterwards `seek` goes to where the loop stopped; behind `end` the reader fails.
  [[nodiscard]] const std::byte* data() const { return data_; }
  [[nodiscard]] size_t at() const { return at_; }
  [[nodiscard]] size_t end() const { return end_; }
  void seek(size_t at) { at_ = std::min(at, end_ + 1); }

  // Whether all bits were taken, but for fewer than `fill` that are all 0.
  [[nodiscard]] bool at_end(size_t fill = 8);

 private:
  static constexpr uint64_t kPeeked = (uint64_t{1} << 56) - 1;

  // At least 56 bits are valid.
  [[nodiscard]] uint64_t peek() const { return load<uint64_t>(data_ + at_ / 8) >> at_ % 8; }

  // Stays within the zeros behind the data.
  void skip(size_t count) { at_ = at_ + count > end_ ? end_ + 1 : at_ + count; }

  std::byte* data_;
  size_t at_ = 0;   // in bits; end_ + 1 once too much was taken
  size_t end_ = 0;  // in bits
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_BIT_STREAM_H_
