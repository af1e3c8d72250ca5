// Takes the values that an index is made of from its body, and keeps account of the memory that
// they will need.
#ifndef FINEDELTA_ARCHIVE_RECORD_READER_H_
#define FINEDELTA_ARCHIVE_RECORD_READER_H_

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"

namespace finedelta::archive {

// As ByteReader, it remembers the first thing that is wrong and gives zeros from then on. Not
// thread-safe.
class RecordReader {
 public:
  // At most about `budget` bytes of memory are given out.
  RecordReader(Bytes body, uint64_t budget) : reader_(body), budget_(budget) {}

  uint8_t u8() { return reader_.u8(); }
  uint16_t u16() { return reader_.u16(); }
  uint64_t u64() { return reader_.u64(); }
  float f32() { return std::bit_cast<float>(reader_.u32()); }
  uint64_t varint() { return reader_.varint(); }
  std::string text(uint64_t longest);
  DType dtype();
  std::vector<uint64_t> shape();

  // A varint that is an index into a list of `size` records.
  uint32_t place(size_t size);

  template <size_t N>
  std::array<std::byte, N> array() {
    std::array<std::byte, N> out{};
    std::ranges::copy(reader_.bytes(N), out.begin());
    return out;
  }

  // A varint number of T, each at least `item_size` bytes of the body. Counted twice: a vector that
  // grows holds its old and its new elements for a moment, and sets of names come beside others.
  template <typename T>
  uint64_t count(uint64_t item_size) {
    const uint64_t number = reader_.count(item_size);
    spend(2 * number * sizeof(T));
    return ok() ? number : 0;
  }

  // Counts memory that what was read will need.
  void spend(uint64_t bytes);

  void reject(std::string_view why) { reader_.reject(why); }
  [[nodiscard]] bool ok() const { return reader_.ok(); }
  [[nodiscard]] uint64_t remaining() const { return reader_.remaining(); }

  // kDamaged with the first thing that was wrong, kFailure when the budget was not enough.
  [[nodiscard]] Status status() const;

 private:
  ByteReader reader_;
  uint64_t budget_;
  bool spent_ = false;
};

}  // namespace finedelta::archive

#endif  // FINEDELTA_ARCHIVE_RECORD_READER_H_
