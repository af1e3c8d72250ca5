#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/hash.h"
#include "kernels/cast.h"
#include "kernels/cast_scalar.h"
#include "unit/float_samples.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

using ScalarCast = void (*)(const std::byte*, size_t, size_t, std::byte*);

struct Pair {
  DType from;
  DType to;
  ScalarCast reference;
  uint64_t golden;  // XXH3-64 of every sample, converted
};

constexpr std::array<Pair, 6> kPairs = {{
    {DType::kF16, DType::kBF16, scalar::cast<scalar::F16, scalar::BF16>, 0xDF44C880AC8E0D8F},
    {DType::kF16, DType::kF32, scalar::cast<scalar::F16, scalar::F32>, 0x3F61DF3B70A11C1E},
    {DType::kBF16, DType::kF16, scalar::cast<scalar::BF16, scalar::F16>, 0x433508C5D80BF436},
    {DType::kBF16, DType::kF32, scalar::cast<scalar::BF16, scalar::F32>, 0xDDC2CF862125D2BD},
    {DType::kF32, DType::kF16, scalar::cast<scalar::F32, scalar::F16>, 0x60C9F3DCBF0A58D3},
    {DType::kF32, DType::kBF16, scalar::cast<scalar::F32, scalar::BF16>, 0x7E721137D60A5807},
}};

// All patterns of a 16-bit type, or the samples of F32.
std::vector<std::byte> samples_of(DType type) {
  std::vector<std::byte> bytes;
  if (type == DType::kF32) {
    const auto view = std::as_bytes(std::span(float_samples()));
    bytes.assign(view.begin(), view.end());
    return bytes;
  }
  ByteWriter writer;
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    writer.u16(static_cast<uint16_t>(pattern));
  }
  return writer.take();
}

std::vector<std::byte> convert(const Pair& pair, Bytes in) {
  const size_t count = in.size() / dtype_unit(pair.from);
  std::vector<std::byte> out(count * dtype_unit(pair.to));
  cast_elements(pair.from, pair.to, in.data(), count, out.data());
  return out;
}

std::vector<std::byte> convert_slowly(const Pair& pair, Bytes in) {
  const size_t count = in.size() / dtype_unit(pair.from);
  std::vector<std::byte> out(count * dtype_unit(pair.to));
  pair.reference(in.data(), 0, count, out.data());
  return out;
}

TEST(CastKernel, CastsAmongF16AndBF16AndF32) {
  for (uint8_t from = 0; from < kDTypeCount; ++from) {
    for (uint8_t to = 0; to < kDTypeCount; ++to) {
      const bool expected = std::ranges::any_of(kPairs, [&](const Pair& pair) {
        return pair.from == DType{from} && pair.to == DType{to};
      });
      EXPECT_EQ(can_cast(DType{from}, DType{to}), expected) << int{from} << " to " << int{to};
    }
  }
}

using CastKernelTarget = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(CastKernelTarget);

TEST_P(CastKernelTarget, EqualsTheScalarReferenceOnEverySample) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(testing::Message() << dtype_name(pair.from) << " to " << dtype_name(pair.to));
    const auto in = samples_of(pair.from);
    const auto out = convert(pair, in);
    EXPECT_TRUE(out == convert_slowly(pair, in));
    EXPECT_EQ(xxh3_64(out), pair.golden);
  }
}

TEST_P(CastKernelTarget, EveryTailAndAlignment) {
  constexpr std::byte kGuard{0xA5};
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(testing::Message() << dtype_name(pair.from) << " to " << dtype_name(pair.to));
    const auto samples = samples_of(pair.from);
    for (size_t count = 0; count <= 300; ++count) {
      const Bytes in = Bytes(samples).subspan(1 + count % 7, count * dtype_unit(pair.from));
      const auto expected = convert_slowly(pair, in);
      const size_t begin = 1 + count % 5;
      std::vector<std::byte> out(begin + expected.size() + 64, kGuard);
      cast_elements(pair.from, pair.to, in.data(), count, out.data() + begin);
      for (size_t i = 0; i < out.size(); ++i) {
        const bool inside = i >= begin && i - begin < expected.size();
        ASSERT_EQ(out[i], inside ? expected[i - begin] : kGuard) << count << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace finedelta
