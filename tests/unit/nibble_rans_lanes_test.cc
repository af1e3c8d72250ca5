// rANS with every number of lanes against its scalar reference.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/nibble_rans_scalar.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

class NibbleRansLanesKernel : public OnEveryTarget {};

// Bits as rare as the skew says, in whole words of 8 bytes.
std::vector<std::byte> some_bits(size_t nibbles, unsigned skew) {
  std::mt19937_64 random(nibbles + skew);
  std::vector<std::byte> bits((nibbles + 15) / 16 * 8);
  for (size_t i = 0; i < 4 * nibbles; ++i) {
    const bool set = random() % (1u << 20) < kSkewProbability[skew];
    if (set) bits[i / 8] |= std::byte{1} << i % 8;
  }
  return bits;
}

RansStates fresh_states(unsigned lanes) {
  RansStates rans{.lanes = lanes};
  rans.state.fill(kRansLow);
  return rans;
}

void check(unsigned lanes, unsigned skew, size_t nibbles) {
  const std::vector<std::byte> bits = some_bits(nibbles, skew);
  RansStates expected_states = fresh_states(lanes);
  RansStates states = fresh_states(lanes);
  std::vector<uint16_t> expected(nibbles + 16);
  std::vector<uint16_t> words(nibbles);
  const uint16_t* const expected_begin = scalar::encode_nibbles(
      expected_states, skew, bits.data(), 0, nibbles, expected.data() + nibbles);
  const uint16_t* const begin =
      encode_nibbles(states, skew, bits.data(), nibbles, words.data() + nibbles);
  const std::vector<uint16_t> expected_words(
      expected_begin, expected_begin + (expected.data() + nibbles - expected_begin));
  ASSERT_EQ(std::vector<uint16_t>(begin, begin + (words.data() + nibbles - begin)), expected_words);
  ASSERT_EQ(states.state, expected_states.state) << lanes << ' ' << skew << ' ' << nibbles;

  std::vector<std::byte> decoded(bits.size());
  const uint16_t* const end = decode_nibbles(states, skew, nibbles, expected_begin,
                                             expected.data() + nibbles, decoded.data());
  ASSERT_EQ(end, expected.data() + nibbles) << lanes << ' ' << skew << ' ' << nibbles;
  ASSERT_EQ(decoded, bits);
  ASSERT_EQ(states.state, fresh_states(lanes).state);
}

TEST_P(NibbleRansLanesKernel, CodesAsOneByOne) {
  for (unsigned lanes : {1u, 4u, 8u, 16u, 32u, 64u, 128u}) {
    for (const unsigned skew : {1u, 2u, 7u, 16u, kMostCodedSkew}) {
      for (const size_t nibbles : {1, 7, 8, 15, 16, 17, 63, 64, 100, 127, 128, 1000, 5003}) {
        check(lanes, skew, nibbles);
      }
    }
  }
}

// No more than 16 words are read behind the end, whatever they are.
TEST_P(NibbleRansLanesKernel, StopsBehindTheWords) {
  for (unsigned lanes : {1u, 4u, 8u, 16u, 32u, 64u, 128u}) {
    for (const size_t count : {0, 1, 20, 64, 100}) {
      const std::vector<uint16_t> words(count + 16, 0);
      RansStates rans{.lanes = lanes};
      rans.state.fill(0xFFFF'FFFF);
      std::vector<std::byte> bits(8 * 1000);
      const uint16_t* const limit = words.data() + count;
      const uint16_t* const end =
          decode_nibbles(rans, kMostCodedSkew, 16000, words.data(), limit, bits.data());
      ASSERT_LE(end, limit + 16) << lanes << ' ' << count;
    }
  }
}

FINEDELTA_ON_EVERY_TARGET(NibbleRansLanesKernel);

}  // namespace
}  // namespace finedelta
