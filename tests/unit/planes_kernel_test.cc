#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/hash.h"
#include "kernels/planes.h"
#include "kernels/planes_scalar.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr std::array<unsigned, 4> kUnits = {1, 2, 4, 8};
constexpr std::byte kGuard{0xA5};
constexpr size_t kGuardSize = 64;

// Bytes that start at an odd address, with guards behind them.
class Unaligned {
 public:
  Unaligned(size_t size, size_t offset) : size_(size), offset_(offset) {
    storage_.assign(size + offset + kGuardSize, kGuard);
  }
  Unaligned(Bytes bytes, size_t offset) : Unaligned(bytes.size(), offset) {
    if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
  }
  std::byte* data() { return storage_.data() + offset_; }
  [[nodiscard]] Bytes view() const { return Bytes(storage_).subspan(offset_, size_); }
  [[nodiscard]] bool guards_intact() const {
    for (size_t i = 0; i < storage_.size(); ++i) {
      if ((i < offset_ || i >= offset_ + size_) && storage_[i] != kGuard) return false;
    }
    return true;
  }

 private:
  size_t size_;
  size_t offset_;
  std::vector<std::byte> storage_;
};

std::vector<std::byte> copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST(PlanesScalar, PlaneKHoldsByteKOfEveryElement) {
  const auto bytes = [](std::initializer_list<int> values) {
    std::vector<std::byte> result;
    for (const int value : values) result.push_back(static_cast<std::byte>(value));
    return result;
  };
  const auto value = bytes({0x01, 0x10, 0x02, 0x20, 0x03, 0x30});
  const auto prediction = bytes({0x01, 0x00, 0x00, 0x20, 0xFF, 0xFF});
  std::vector<std::byte> planes(6);
  scalar::xor_split(2, value.data(), prediction.data(), 0, 3, planes.data());
  EXPECT_EQ(planes, bytes({0x00, 0x02, 0xFC, 0x10, 0x00, 0xCF}));
  scalar::xor_split(2, value.data(), nullptr, 0, 3, planes.data());
  EXPECT_EQ(planes, bytes({0x01, 0x02, 0x03, 0x10, 0x20, 0x30}));
}

using PlanesKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(PlanesKernel);

void check_both_ways(unsigned unit, size_t count, size_t offset, bool predicted, uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "unit " << unit << ", count " << count << ", offset " << offset
                                  << ", predicted " << predicted);
  const size_t size = unit * count;
  Unaligned value(pseudo_random_bytes(size, seed), offset);
  Unaligned prediction(pseudo_random_bytes(size, seed + 1), offset + 1);
  const std::byte* predictor = predicted ? prediction.data() : nullptr;

  std::vector<std::byte> expected(size);
  scalar::xor_split(unit, value.data(), predictor, 0, count, expected.data());
  Unaligned planes(size, offset + 2);
  xor_split(unit, value.data(), predictor, count, planes.data());
  ASSERT_EQ(copy_of(planes.view()), expected);
  ASSERT_TRUE(planes.guards_intact());

  Unaligned joined(size, offset + 3);
  xor_join(unit, planes.data(), predictor, count, joined.data());
  ASSERT_EQ(copy_of(joined.view()), copy_of(value.view()));
  ASSERT_TRUE(joined.guards_intact());
}

TEST_P(PlanesKernel, EqualsTheScalarReferenceForEveryTail) {
  for (const unsigned unit : kUnits) {
    for (size_t count = 0; count <= 300; ++count) {
      for (const bool predicted : {false, true}) {
        check_both_ways(unit, count, 0, predicted, count);
        check_both_ways(unit, count, 1 + count % 7, predicted, count);
      }
    }
  }
}

TEST_P(PlanesKernel, EqualsTheScalarReferenceOverManyVectors) {
  for (const unsigned unit : kUnits) {
    for (const size_t count : {511, 512, 513, 1024, 5000}) {
      check_both_ways(unit, count, 3, true, 77);
      check_both_ways(unit, count, 0, false, 78);
    }
  }
}

TEST_P(PlanesKernel, TheBytesNeverChange) {
  constexpr std::array<uint64_t, 4> kGolden = {0xBB62D65AF2DFC382, 0x9F4DCC7ACE0BCF49,
                                               0x6073AE15B5639621, 0x2A3857074BC05656};
  constexpr size_t kCount = 4099;
  for (size_t i = 0; i < kUnits.size(); ++i) {
    const size_t size = kUnits[i] * kCount;
    const auto value = pseudo_random_bytes(size, 1);
    const auto prediction = pseudo_random_bytes(size, 2);
    std::vector<std::byte> planes(size);
    xor_split(kUnits[i], value.data(), prediction.data(), kCount, planes.data());
    EXPECT_EQ(xxh3_64(planes), kGolden[i]) << "unit " << kUnits[i];
  }
}

}  // namespace
}  // namespace finedelta
