// Blocks of 64 units, sorted by their classes, so that loops over the units of one class are long.
#ifndef FINEDELTA_KERNELS_CLASS_BLOCKS_H_
#define FINEDELTA_KERNELS_CLASS_BLOCKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace finedelta {

// At most kMost blocks, of classes below 16.
class ClassBlocks {
 public:
  static constexpr size_t kMost = 32;
  static constexpr size_t kUnits = 64;

  // The last one of the blocks of `count` units may be shorter than the others.
  ClassBlocks(const uint8_t* classes, size_t count) {
    const size_t blocks = (count + kUnits - 1) / kUnits;
    for (size_t i = 0; i < blocks; ++i) {
      const uint8_t k = classes[i];
      place_[k][size_[k]++] = static_cast<uint8_t>(i);
      units_[k] = static_cast<uint16_t>(size_[k] * kUnits);
    }
    if (blocks > 0) {
      const size_t missing = blocks * kUnits - count;
      units_[classes[blocks - 1]] -= static_cast<uint16_t>(missing);
    }
  }

  static constexpr size_t kClasses = 16;

  // How many units are of class k.
  [[nodiscard]] size_t units(size_t k) const { return units_[k]; }

  // Copies a byte for each unit of class k, whole blocks, from where they are among all units to
  // where they are without the others, and back.
  void gather(size_t k, const uint8_t* all, uint8_t* own) const {
    for (size_t i = 0; i < size_[k]; ++i) {
      std::memcpy(own + i * kUnits, all + place_[k][i] * kUnits, kUnits);
    }
  }
  void scatter(size_t k, const uint8_t* own, uint8_t* all) const {
    for (size_t i = 0; i < size_[k]; ++i) {
      std::memcpy(all + place_[k][i] * kUnits, own + i * kUnits, kUnits);
    }
  }

 private:
  std::array<uint8_t, kClasses> size_{};
  std::array<uint16_t, kClasses> units_{};
  std::array<std::array<uint8_t, kMost>, kClasses> place_;
};

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_CLASS_BLOCKS_H_
