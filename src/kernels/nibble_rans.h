// Entropy coding of bits that all are 1 with the same probability of at most a half, four at a
// time, by interleaved rANS (Duda, arXiv:1311.2540; Giesen, arXiv:1402.3392).
//
// A nibble with k of its 4 bits set has one of five frequencies, which follow from the probability
// alone: no tables are sent. Within the frequencies' 2^14 slots the nibbles lie in the order of
// kNibbleOrder. The probability is given as a skew, one of kSkews steps: 1/2 and then 27/32 of the
// one before.
#ifndef FINEDELTA_KERNELS_NIBBLE_RANS_H_
#define FINEDELTA_KERNELS_NIBBLE_RANS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace finedelta {

inline constexpr unsigned kSkews = 56;

// Probabilities of a 1, in 2^-20.
constexpr std::array<uint32_t, kSkews> make_skew_probabilities() {
  std::array<uint32_t, kSkews> out{};
  uint32_t probability = 1u << 19;
  for (uint32_t& entry : out) {
    entry = probability;
    probability = probability * 27 / 32;
  }
  return out;
}
inline constexpr std::array<uint32_t, kSkews> kSkewProbability = make_skew_probabilities();

// Skews from 1 to kMostCodedSkew are coded here.
inline constexpr unsigned kMostCodedSkew = 24;

inline constexpr unsigned kNibbleSlotBits = 14;
inline constexpr std::array<uint8_t, 16> kNibbleOrder = {0, 1,  2,  4, 8,  3,  5,  6,
                                                         9, 10, 12, 7, 11, 13, 14, 15};
// The place in that order of the first nibble with k bits set.
inline constexpr std::array<uint32_t, 5> kFirstOfClass = {0, 1, 5, 11, 15};

// For k bits set: each nibble's frequency, and the first slot of the first such nibble.
struct NibbleModel {
  std::array<uint32_t, 5> frequency{};
  std::array<uint32_t, 5> start{};
};

constexpr NibbleModel make_nibble_model(unsigned skew) {
  constexpr uint32_t kSizes[5] = {1, 4, 6, 4, 1};
  const uint64_t one = kSkewProbability[skew];
  const uint64_t zero = (1u << 20) - one;
  NibbleModel model;
  uint32_t rest = 1u << kNibbleSlotBits;
  for (unsigned k = 1; k <= 4; ++k) {
    uint64_t probability = uint64_t{1} << 20;
    for (unsigned i = 0; i < 4; ++i) probability = probability * (i < k ? one : zero) >> 20;
    model.frequency[k] =
        std::max<uint32_t>(1, static_cast<uint32_t>(probability >> (20 - kNibbleSlotBits)));
    rest -= kSizes[k] * model.frequency[k];
  }
  model.frequency[0] = rest;
  for (unsigned k = 1; k <= 4; ++k) {
    model.start[k] = model.start[k - 1] + kSizes[k - 1] * model.frequency[k - 1];
  }
  return model;
}

// Indexed by skew; entry 0 is never used.
constexpr std::array<NibbleModel, kMostCodedSkew + 1> make_nibble_models() {
  std::array<NibbleModel, kMostCodedSkew + 1> out{};
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) out[skew] = make_nibble_model(skew);
  return out;
}
inline constexpr std::array<NibbleModel, kMostCodedSkew + 1> kNibbleModels = make_nibble_models();

inline constexpr unsigned kMostLanes = 128;
// The least state; before the first nibble a state is under twice that.
inline constexpr uint32_t kRansLow = 1u << 16;

// One stream: as many states as it has lanes (a power of two), and 16-bit words. Nibble i of each
// call belongs to state i modulo the lanes.
struct RansStates {
  unsigned lanes = 1;
  std::array<uint32_t, kMostLanes> state{};
};

// Codes `count` nibbles; nibble i is bits 4i to 4i + 3 of `bits`, the lowest of a byte first.
// Calls come in the reverse order of decoding, and words are written from `end` downwards: returns
// the new end. At most count words are written. Reads `bits` in whole words of 8 bytes.
uint16_t* encode_nibbles(RansStates& rans, unsigned skew, const std::byte* bits, size_t count,
                         uint16_t* end);

// The inverse. Reads words from `next`, and returns where it stopped: at most `limit` plus 16
// words, which must be readable, if the words are not what was written. Bits are written in whole
// words of 8 bytes; what is behind `count` nibbles is 0.
const uint16_t* decode_nibbles(RansStates& rans, unsigned skew, size_t count, const uint16_t* next,
                               const uint16_t* limit, std::byte* bits);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_NIBBLE_RANS_H_
