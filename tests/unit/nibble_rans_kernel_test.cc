#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "kernels/nibble_rans.h"
#include "kernels/nibble_rans_scalar.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

constexpr size_t kBehindWords = 16;  // what may be read there

struct Node {
  unsigned skew;
  size_t nibbles;
  ExactBytes bits;
};

// A node whose bits are 1 about as often as its skew says, or all are where `all_ones`.
Node make_node(unsigned skew, size_t nibbles, uint64_t seed, bool all_ones = false) {
  Node node{.skew = skew, .nibbles = nibbles, .bits = ExactBytes((nibbles + 15) / 16 * 8)};
  const std::vector<std::byte> random = pseudo_random_bytes(16 * nibbles, seed);
  std::fill_n(node.bits.data(), (nibbles + 15) / 16 * 8, std::byte{0});
  for (size_t i = 0; i < 4 * nibbles; ++i) {
    const uint32_t number = load<uint32_t>(random.data() + 4 * i) >> 12;
    if (!all_ones && number >= kSkewProbability[skew]) continue;
    node.bits.data()[i / 8] |= std::byte{1} << i % 8;
  }
  return node;
}

RansStates fresh(unsigned lanes) {
  RansStates rans{.lanes = lanes};
  rans.state.fill(kRansLow);
  return rans;
}

struct Stream {
  RansStates rans;
  ExactBytes words;
  size_t count = 0;
};

using Encode = uint16_t* (*)(RansStates&, unsigned, const std::byte*, size_t, uint16_t*);

uint16_t* encode_by_reference(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                              uint16_t* end) {
  return scalar::encode_nibbles(rans, skew, bits, 0, count, end);
}

// The last node is coded first.
Stream encoded(const std::vector<Node>& nodes, unsigned lanes, Encode encode) {
  size_t most = 0;
  for (const Node& node : nodes) most += node.nibbles;
  std::vector<uint16_t> words(most);
  uint16_t* const end = words.data() + most;
  uint16_t* next = end;
  RansStates rans = fresh(lanes);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    next = encode(rans, node->skew, node->bits.data(), node->nibbles, next);
  }
  const auto count = static_cast<size_t>(end - next);
  ExactBytes used(2 * (count + kBehindWords), 0);
  std::copy(next, end, reinterpret_cast<uint16_t*>(used.data()));
  return {.rans = rans, .words = std::move(used), .count = count};
}

void check_round_trip(const std::vector<Node>& nodes, unsigned lanes) {
  const Stream expected = encoded(nodes, lanes, encode_by_reference);
  const Stream stream = encoded(nodes, lanes, encode_nibbles);
  ASSERT_EQ(stream.count, expected.count);
  ASSERT_EQ(stream.words.first(2 * stream.count), expected.words.first(2 * stream.count));
  ASSERT_EQ(stream.rans.state, expected.rans.state);

  RansStates rans = stream.rans;
  const auto* next = reinterpret_cast<const uint16_t*>(stream.words.data());
  const uint16_t* const limit = next + stream.count;
  for (const Node& node : nodes) {
    ExactBytes bits((node.nibbles + 15) / 16 * 8);
    next = decode_nibbles(rans, node.skew, node.nibbles, next, limit, bits.data());
    std::vector<std::byte> wanted = node.bits.copy();
    wanted.resize((node.nibbles + 15) / 16 * 8);  // zeros behind the nibbles
    ASSERT_EQ(bits.copy(), wanted);
  }
  ASSERT_EQ(next, limit);
  ASSERT_EQ(rans.state, fresh(lanes).state);
}

using NibbleRansKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(NibbleRansKernel);

TEST_P(NibbleRansKernel, EveryCountComesBackForAnyNumberOfLanes) {
  for (unsigned lanes = 1; lanes <= kMostLanes; lanes *= 2) {
    for (size_t nibbles = 0; nibbles <= 150; ++nibbles) {
      SCOPED_TRACE(testing::Message() << lanes << " lanes, " << nibbles << " nibbles");
      ASSERT_NO_FATAL_FAILURE(check_round_trip({make_node(9, nibbles, nibbles)}, lanes));
    }
  }
}

TEST_P(NibbleRansKernel, EverySkewComesBack) {
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) {
    for (const unsigned lanes : {1u, 8u, 16u, kMostLanes}) {
      SCOPED_TRACE(testing::Message() << "skew " << skew << ", " << lanes << " lanes");
      ASSERT_NO_FATAL_FAILURE(check_round_trip({make_node(skew, 3001, skew)}, lanes));
      ASSERT_NO_FATAL_FAILURE(check_round_trip({make_node(skew, 500, skew, true)}, lanes));
    }
  }
}

TEST_P(NibbleRansKernel, NodesShareStatesAndWords) {
  std::vector<Node> nodes;
  for (unsigned i = 0; i < 60; ++i) {
    nodes.push_back(make_node(1 + i * 7 % kMostCodedSkew, i * i % 97, i, i % 20 == 19));
  }
  for (unsigned lanes = 1; lanes <= kMostLanes; lanes *= 2) {
    ASSERT_NO_FATAL_FAILURE(check_round_trip(nodes, lanes)) << lanes << " lanes";
  }
}

// From words and states that nobody wrote, every target makes what the reference makes; where the
// words do not suffice, it says so and reads no further than it may.
TEST_P(NibbleRansKernel, NoiseIsDecodedAlike) {
  constexpr size_t kNibbles = 700;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const unsigned lanes = 1u << seed % 8;
    const size_t count = seed * 3;
    const std::vector<std::byte> random = pseudo_random_bytes(2 * (count + kBehindWords), seed);
    const ExactBytes words(random, 0);
    RansStates expected_rans{.lanes = lanes};
    const std::vector<std::byte> states = pseudo_random_bytes(sizeof expected_rans.state, seed + 1);
    std::memcpy(expected_rans.state.data(), states.data(), states.size());
    if (seed % 3 == 0) expected_rans.state.fill(static_cast<uint32_t>(seed));  // too small
    RansStates rans = expected_rans;
    const auto* const next = reinterpret_cast<const uint16_t*>(words.data());
    const uint16_t* const limit = next + count;
    const auto skew = static_cast<unsigned>(1 + seed % kMostCodedSkew);
    ExactBytes expected((kNibbles + 15) / 16 * 8);
    const uint16_t* const stop =
        scalar::decode_nibbles(expected_rans, skew, 0, kNibbles, next, limit, expected.data());
    ExactBytes bits((kNibbles + 15) / 16 * 8);
    const uint16_t* const stopped = decode_nibbles(rans, skew, kNibbles, next, limit, bits.data());
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ASSERT_EQ(stopped > limit, stop > limit);
    ASSERT_LE(stopped, limit + kBehindWords);
    if (stopped > limit) continue;
    ASSERT_EQ(stopped, stop);
    ASSERT_EQ(bits.copy(), expected.copy());
    ASSERT_EQ(rans.state, expected_rans.state);
  }
}

TEST(NibbleModels, FrequenciesFillTheSlots) {
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) {
    const scalar::NibbleSlots& slots = scalar::kNibbleSlots[skew];
    uint32_t next = 0;
    for (const uint8_t nibble : kNibbleOrder) {
      ASSERT_EQ(slots.start[nibble], next) << "skew " << skew;
      ASSERT_GT(slots.frequency[nibble], 0u);
      next += slots.frequency[nibble];
    }
    ASSERT_EQ(next, 1u << kNibbleSlotBits) << "skew " << skew;
  }
}

// Four nibbles in a million at most are lost to rounding, but where a frequency had to be 1.
TEST(NibbleModels, CostAsMuchAsTheirEntropy) {
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) {
    const double one = kSkewProbability[skew] / double(1 << 20);
    const double entropy = -4 * (one * std::log2(one) + (1 - one) * std::log2(1 - one));
    double cost = 0;
    for (unsigned nibble = 0; nibble < 16; ++nibble) {
      const int ones = std::popcount(nibble);
      const double share = std::pow(one, ones) * std::pow(1 - one, 4 - ones);
      cost -= share * std::log2(scalar::kNibbleSlots[skew].frequency[nibble] /
                                double(1 << kNibbleSlotBits));
    }
    EXPECT_LT(cost, entropy * 1.002) << "skew " << skew;
  }
}

}  // namespace
}  // namespace finedelta
