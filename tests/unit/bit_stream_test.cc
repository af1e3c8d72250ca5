#include "base/bit_stream.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

using Buffer = std::vector<std::byte>;

void put(BitWriter& writer, uint64_t value, unsigned count) {
  BitSink sink = writer.sink(count);
  sink.put(value, count);
  writer.give_back(sink);
}

void put_unary(BitWriter& writer, uint64_t ones) {
  BitSink sink = writer.sink(ones + 1);
  sink.put_unary(ones);
  writer.give_back(sink);
}

// The bytes that were written, in memory of exactly their size.
Buffer finished(BitWriter& writer) {
  const Bytes bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

TEST(BitStream, BitsFillBytesFromTheLowestOn) {
  BitWriter writer;
  put(writer, 1, 1);
  put(writer, 0b01, 2);
  put(writer, 0x5A, 8);
  EXPECT_EQ(writer.bits(), 11u);
  EXPECT_EQ(finished(writer), (Buffer{std::byte{0xD3}, std::byte{0x02}}));
  writer.clear();
  EXPECT_EQ(writer.bits(), 0u);
  EXPECT_TRUE(writer.finish().empty());
}

TEST(BitStream, NumbersOfAllWidthsComeBack) {
  std::mt19937_64 random(1);
  BitWriter writer;
  for (int round = 0; round < 50; ++round) {
    writer.clear();
    std::vector<std::pair<uint64_t, unsigned>> numbers;
    for (int i = 0; i < 300; ++i) {
      const auto width = static_cast<unsigned>(random() % 33);
      const uint64_t value = random() & ((uint64_t{1} << width) - 1);
      numbers.emplace_back(value, width);
      put(writer, value, width);
    }
    const Buffer bytes = finished(writer);
    Buffer buffer;
    BitReader reader(bytes, buffer);
    for (const auto& [value, width] : numbers) ASSERT_EQ(reader.take(width), value);
    ASSERT_TRUE(reader.ok());
    ASSERT_TRUE(reader.at_end());
  }
}

TEST(BitStream, OneSinkTakesWhatManyTake) {
  BitWriter one;
  BitWriter many;
  BitSink sink = one.sink(32 * 40 + 500);
  for (unsigned width = 0; width <= 32; ++width) {
    const uint64_t value = (uint64_t{1} << width) - 1;
    sink.put(value, width);
    put(many, value, width);
  }
  sink.put_unary(300);
  one.give_back(sink);
  put_unary(many, 300);
  EXPECT_EQ(one.bits(), many.bits());
  EXPECT_EQ(finished(one), finished(many));
}

TEST(BitStream, RunsOfOnesComeBack) {
  for (unsigned before = 0; before < 9; ++before) {
    BitWriter writer;
    put(writer, 0, before);
    for (uint64_t ones = 0; ones <= 400; ++ones) put_unary(writer, ones);
    const Buffer bytes = finished(writer);
    Buffer buffer;
    BitReader reader(bytes, buffer);
    ASSERT_EQ(reader.take(before), 0u);
    for (uint64_t ones = 0; ones <= 400; ++ones) ASSERT_EQ(reader.take_unary(), ones);
    ASSERT_TRUE(reader.at_end());
  }
}

TEST(BitStream, RiceCodesComeBack) {
  for (const unsigned low : {0, 1, 3, 13, 32}) {
    for (uint64_t ones = 0; ones <= 200; ++ones) {
      const uint64_t lowest = 0x9E37'79B9u & ((uint64_t{1} << low) - 1);
      BitWriter writer;
      put(writer, 0, 3);
      put_unary(writer, ones);
      put(writer, lowest, low);
      const Buffer bytes = finished(writer);
      Buffer buffer;
      BitReader reader(bytes, buffer);
      ASSERT_EQ(reader.take(3), 0u);
      ASSERT_EQ(reader.take_rice(low), (ones << low) + lowest) << low << " bits, " << ones;
      ASSERT_TRUE(reader.at_end());
    }
  }
}

// Whole words of 8 bytes, of which the last has zeros behind the bits.
Buffer random_bits(size_t count, uint64_t seed) {
  Buffer bits = pseudo_random_bytes((count + 63) / 64 * 8, seed);
  for (size_t i = count; i < 8 * bits.size(); ++i) bits[i / 8] &= ~(std::byte{1} << i % 8);
  return bits;
}

TEST(BitStream, BitsThatAreAppendedComeBackInWholeWords) {
  for (size_t count = 0; count <= 260; ++count) {
    for (const unsigned before : {0, 1, 5, 8, 31}) {
      const Buffer bits = random_bits(count, count);
      BitWriter writer;
      put(writer, 0, before);
      writer.append(bits.data(), count);
      ASSERT_EQ(writer.bits(), before + count);
      const Buffer bytes = finished(writer);
      Buffer buffer;
      BitReader reader(bytes, buffer);
      ASSERT_EQ(reader.take(before), 0u);
      Buffer taken(bits.size(), std::byte{0xA5});
      reader.take_all(taken.data(), count);
      ASSERT_EQ(taken, bits) << count << " bits behind " << before;
      ASSERT_TRUE(reader.at_end());
    }
  }
}

TEST(BitStream, BehindTheEndAreZerosAndTheReaderFails) {
  const Buffer bytes = {std::byte{0xFF}};
  Buffer buffer;
  BitReader reader(bytes, buffer);
  EXPECT_EQ(reader.take(5), 31u);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.take(5), 7u);  // three bits that are there, two that are not
  EXPECT_FALSE(reader.ok());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(reader.take(32), 0u);
    ASSERT_EQ(reader.take_unary(), 0u);
  }
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.at_end());
}

TEST(BitStream, OnesThatDoNotEndFail) {
  for (const size_t size : {1, 7, 8, 9, 100}) {
    const Buffer bytes(size, std::byte{0xFF});
    Buffer buffer;
    BitReader reader(bytes, buffer);
    EXPECT_EQ(reader.take_unary(), 8 * size);
    EXPECT_FALSE(reader.ok()) << size;
  }
}

TEST(BitStream, MoreBitsThanThereAreAreZeros) {
  const Buffer bytes(20, std::byte{0xFF});
  Buffer buffer;
  BitReader reader(bytes, buffer);
  Buffer taken(24, std::byte{0xA5});
  reader.take_all(taken.data(), 161);
  EXPECT_EQ(taken, Buffer(24));
  EXPECT_FALSE(reader.ok());
}

TEST(BitStream, NothingIsBehindAnEmptyStream) {
  Buffer buffer;
  BitReader reader({}, buffer);
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.take(1), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(BitStream, TheEndIsFewerThanEightZeros) {
  const auto at_end_after = [](const Buffer& bytes, unsigned taken) {
    Buffer buffer;
    BitReader reader(bytes, buffer);
    (void)reader.take(taken);
    return reader.at_end();
  };
  EXPECT_TRUE(at_end_after({std::byte{0x01}}, 1));
  EXPECT_FALSE(at_end_after({std::byte{0x01}}, 0));
  EXPECT_FALSE(at_end_after({std::byte{0x81}}, 1));
  EXPECT_FALSE(at_end_after({std::byte{0x81}, std::byte{0}}, 8));
  EXPECT_TRUE(at_end_after({std::byte{0x81}, std::byte{0}}, 9));
  EXPECT_FALSE(at_end_after({std::byte{0}}, 9));
}

TEST(BitStream, MoreZerosMayBeLeftWhereTheyAreAllowed) {
  Buffer bytes(9);
  Buffer buffer;
  EXPECT_FALSE(BitReader(bytes, buffer).at_end(72));
  EXPECT_TRUE(BitReader(bytes, buffer).at_end(73));
  bytes[8] = std::byte{0x80};
  EXPECT_FALSE(BitReader(bytes, buffer).at_end(73));
}

TEST(BitStream, BytesThatAreAppendedFollow) {
  const Buffer bytes = {std::byte{0xA5}};
  Buffer buffer(100, std::byte{0xFF});
  BitReader reader(bytes, buffer, 2);
  EXPECT_EQ(reader.take(4), 5u);
  reader.append(Buffer{std::byte{0x34}, std::byte{0x12}});
  EXPECT_EQ(reader.take(20), 0x1234Au);
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.take(1), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(BitStream, AppendingDoesNotMendAFailure) {
  Buffer buffer;
  BitReader reader({}, buffer, 8);
  (void)reader.take(1);
  reader.append(Buffer(8));
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.at_end(65));
}

// A longer stream before must not show behind the end of a shorter one.
TEST(BitStream, TheBufferIsUsedAgain) {
  Buffer buffer;
  const Buffer longer(100, std::byte{0xFF});
  EXPECT_EQ(BitReader(longer, buffer).take(32), 0xFFFF'FFFFu);
  const Buffer shorter = {std::byte{0x7F}};
  BitReader reader(shorter, buffer);
  EXPECT_EQ(reader.take(32), 0x7Fu);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace finedelta
