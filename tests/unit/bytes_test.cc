#include "base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace finedelta {
namespace {

TEST(Bytes, VarintsRoundTrip) {
  const bool ok = rc::check("varint", [](const std::vector<uint64_t>& values) {
    ByteWriter writer;
    for (const uint64_t value : values) writer.varint(value);
    ByteReader reader(writer.view());
    for (const uint64_t value : values) RC_ASSERT(reader.varint() == value);
    RC_ASSERT(reader.ok());
    RC_ASSERT(reader.remaining() == 0u);
  });
  EXPECT_TRUE(ok);
}

TEST(Bytes, VarintTakesOnlyTheShortestForm) {
  const std::byte padded[] = {std::byte{0x81}, std::byte{0x00}};
  ByteReader reader(padded);
  EXPECT_EQ(reader.varint(), 0u);
  EXPECT_EQ(reader.why(), "a number is not in its shortest form");
}

TEST(Bytes, VarintOverflowIsRefused) {
  std::vector<std::byte> large(10, std::byte{0xff});
  large[9] = std::byte{0x02};
  ByteReader reader(large);
  reader.varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, ACountNeverPromisesMoreThanFollows) {
  ByteWriter writer;
  writer.varint(1000);
  writer.u64(0);
  ByteReader reader(writer.view());
  EXPECT_EQ(reader.count(1), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, AFailedReaderGivesNothingMore) {
  const std::byte one[] = {std::byte{7}};
  ByteReader reader(one);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_EQ(reader.u8(), 0u);
  EXPECT_EQ(reader.why(), "it ends too early");
}

}  // namespace
}  // namespace finedelta
