// Where coders write: a growing buffer that, unlike std::vector, never fills with zeros what a
// coder is about to overwrite, and keeps its memory from one run to the next.
#ifndef FINEDELTA_BENCH_CODERS_SINK_H_
#define FINEDELTA_BENCH_CODERS_SINK_H_

#include <algorithm>
#include <memory>

#include "base/bytes.h"

namespace finedelta::bench {

class Sink {
 public:
  [[nodiscard]] Bytes view() const { return {data_.get(), size_}; }
  void clear() { size_ = 0; }

  // Room for `size` bytes behind the end; `commit` makes the first of them part of the buffer.
  MutableBytes reserve(size_t size) {
    if (capacity_ - size_ < size) grow(size);
    return {data_.get() + size_, size};
  }
  void commit(size_t size) { size_ += size; }

  void append(Bytes bytes) {
    std::ranges::copy(bytes, reserve(bytes.size()).begin());
    commit(bytes.size());
  }

  template <typename T>
  void put(T value) {
    store(reserve(sizeof value).data(), value);
    commit(sizeof value);
  }

 private:
  void grow(size_t size) {
    capacity_ = std::max(2 * capacity_, size_ + size);
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
    std::copy_n(data_.get(), size_, larger.get());
    data_ = std::move(larger);
  }

  std::unique_ptr<std::byte[]> data_;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_SINK_H_
