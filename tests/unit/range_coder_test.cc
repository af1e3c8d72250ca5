#include "base/range_coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr size_t kModels = 5;

// Bits of several models, and raw numbers between them.
struct Piece {
  size_t model = 0;
  bool bit = false;
  uint32_t number = 0;
  unsigned width = 0;
};

// Model k takes a bit that is 1 in one of 2^(share + k) cases.
std::vector<Piece> random_pieces(size_t count, unsigned share, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<Piece> pieces(count);
  for (Piece& piece : pieces) {
    piece.model = engine() % kModels;
    piece.bit = engine() % (uint64_t{1} << (share + piece.model)) == 0;
    piece.width = engine() % 4 == 0 ? static_cast<unsigned>(engine() % 25) : 0;
    piece.number = static_cast<uint32_t>(engine() & ((uint64_t{1} << piece.width) - 1));
  }
  return pieces;
}

std::vector<std::byte> encoded(const std::vector<Piece>& pieces) {
  RangeEncoder encoder;
  AdaptiveBit models[kModels];
  for (const Piece& piece : pieces) {
    EXPECT_EQ(encoder.bit(models[piece.model], piece.bit), piece.bit);
    EXPECT_EQ(encoder.raw(piece.number, piece.width), piece.number);
  }
  return encoder.finish();
}

void expect_decodes(Bytes bytes, const std::vector<Piece>& pieces) {
  RangeDecoder decoder(bytes);
  AdaptiveBit models[kModels];
  for (const Piece& piece : pieces) {
    ASSERT_EQ(decoder.bit(models[piece.model], !piece.bit), piece.bit);
    ASSERT_EQ(decoder.raw(~piece.number, piece.width), piece.number);
  }
  EXPECT_TRUE(decoder.at_end());
}

TEST(RangeCoder, RoundTrips) {
  for (const unsigned share : {0, 1, 3, 8, 20}) {
    for (const size_t count : {1, 2, 3, 10, 1000, 20000}) {
      const auto pieces = random_pieces(count, share, share + count);
      expect_decodes(encoded(pieces), pieces);
    }
  }
}

// Raw bits take 1 bit each, and what is likely takes little.
TEST(RangeCoder, IsAsShortAsTheModelsSay) {
  const auto raw = [](size_t count) {
    RangeEncoder encoder;
    for (size_t i = 0; i < count; ++i) encoder.raw(0xA5, 8);
    return encoder.finish();
  };
  EXPECT_LE(raw(1000).size(), 1001u);
  EXPECT_GE(raw(1000).size(), 1000u);
  RangeEncoder encoder;
  AdaptiveBit model;
  for (size_t i = 0; i < 180'000; ++i) encoder.bit(model, i % 1000 == 999);
  const size_t bits = 8 * encoder.finish().size();
  EXPECT_LT(bits, 5000u);  // of which 180 that are unlikely cost 8 and what comes after them
  EXPECT_GT(bits, 1000u);
}

// Bits whose range stays around a number that ends in zeros: its lower end has bytes of 255 as long
// as it is below, and at last they are all carried over.
TEST(RangeCoder, CarriesRunOverManyBytes) {
  for (size_t length = 1; length < 200; ++length) {
    std::vector<std::byte> number(length + 5);
    number[0] = std::byte{0x80};
    number.back() = std::byte{1};
    std::vector<Piece> pieces(8 * length);
    RangeDecoder decoder(number);
    AdaptiveBit models[kModels];
    for (size_t i = 0; i < pieces.size(); ++i) {
      pieces[i].model = i % kModels;
      pieces[i].bit = decoder.bit(models[pieces[i].model], false);
      pieces[i].width = 1;
      pieces[i].number = decoder.raw(0, 1);
    }
    const auto bytes = encoded(pieces);
    expect_decodes(bytes, pieces);
    ASSERT_GT(bytes.size(), length / 2);
    // The number begins as that one, so it was carried.
    EXPECT_EQ(bytes[0], std::byte{0x80}) << length;
  }
}

TEST(RangeCoder, NothingIsOneByteAtMost) {
  RangeEncoder encoder;
  const auto bytes = encoder.finish();
  EXPECT_LE(bytes.size(), 1u);
  RangeDecoder decoder(bytes);
  EXPECT_TRUE(decoder.at_end());
}

// A reader believes in 2048 bits for each byte at most: so many may not come for nothing because
// zeros at the end are not written.
TEST(RangeCoder, LikelyBitsTakeTheirBytes) {
  for (const size_t count : {1, 100, 10'000, 1'000'000}) {
    for (const bool first : {false, true}) {
      RangeEncoder encoder;
      AdaptiveBit model(65024);
      encoder.raw(first ? 1 : 0, 1);
      for (size_t i = 0; i < count; ++i) encoder.bit(model, false);
      const auto bytes = encoder.finish();
      ASSERT_FALSE(bytes.empty());
      EXPECT_NE(bytes.back(), std::byte{0});
      EXPECT_LE(count, 2048 * bytes.size());
      RangeDecoder decoder(bytes);
      AdaptiveBit again(65024);
      EXPECT_EQ(decoder.raw(0, 1), first ? 1u : 0u);
      size_t zeros = 0;
      for (size_t i = 0; i < count; ++i) zeros += decoder.bit(again, true) ? 0 : 1;
      EXPECT_EQ(zeros, count);
      EXPECT_TRUE(decoder.at_end());
    }
  }
}

TEST(RangeCoder, AnyBytesAreSomeBits) {
  for (size_t size = 0; size < 40; ++size) {
    const auto bytes = pseudo_random_bytes(size, size);
    RangeDecoder decoder(bytes);
    AdaptiveBit models[kModels];
    for (size_t i = 0; i < 2000; ++i) {
      decoder.bit(models[i % kModels], false);
      const auto width = static_cast<unsigned>(i % 17);
      EXPECT_LT(decoder.raw(0, width), 1u << width);
    }
    EXPECT_EQ(decoder.at_end(), bytes.empty() || bytes.back() != std::byte{0});
  }
}

TEST(RangeCoder, BytesThatWereNotReadAreNoticed) {
  const auto pieces = random_pieces(100, 1, 7);
  auto bytes = encoded(pieces);
  bytes.insert(bytes.end(), 4, std::byte{0});
  bytes.push_back(std::byte{1});
  RangeDecoder decoder(bytes);
  AdaptiveBit models[kModels];
  for (const Piece& piece : pieces) {
    EXPECT_EQ(decoder.bit(models[piece.model], false), piece.bit);
    EXPECT_EQ(decoder.raw(0, piece.width), piece.number);
  }
  EXPECT_FALSE(decoder.at_end());
}

TEST(AdaptiveBit, LearnsWithinItsBounds) {
  AdaptiveBit model;
  EXPECT_EQ(model.zero(), AdaptiveBit::kOne / 2);
  for (int i = 0; i < 5000; ++i) model.update(false);
  EXPECT_EQ(model.zero(), AdaptiveBit::kOne - AdaptiveBit::kLeast);
  for (int i = 0; i < 5000; ++i) model.update(true);
  EXPECT_EQ(model.zero(), AdaptiveBit::kLeast);
  AdaptiveBit one(40000);
  one.update(true);
  EXPECT_EQ(one.zero(), (40000 - 2500 + 40000 - 312) / 2);
  AdaptiveBit zero(40000);
  zero.update(false);
  EXPECT_EQ(zero.zero(), (40000 + 1596 + 40000 + 199) / 2);
}

}  // namespace
}  // namespace finedelta
