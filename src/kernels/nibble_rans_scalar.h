// The scalar reference of nibble_rans.h.
#ifndef FINEDELTA_KERNELS_NIBBLE_RANS_SCALAR_H_
#define FINEDELTA_KERNELS_NIBBLE_RANS_SCALAR_H_

#include <bit>

#include "base/bytes.h"
#include "kernels/nibble_rans.h"

namespace finedelta::scalar {

// For each nibble its frequency and first slot.
struct NibbleSlots {
  std::array<uint32_t, 16> frequency{};
  std::array<uint32_t, 16> start{};
};

constexpr NibbleSlots slots_of(const NibbleModel& model) {
  NibbleSlots out;
  for (unsigned k = 0, place = 0; k <= 4; ++k) {
    const unsigned end = k < 4 ? kFirstOfClass[k + 1] : 16;
    for (; place < end; ++place) {
      const unsigned nibble = kNibbleOrder[place];
      out.frequency[nibble] = model.frequency[k];
      out.start[nibble] = model.start[k] + (place - kFirstOfClass[k]) * model.frequency[k];
    }
  }
  return out;
}

constexpr std::array<NibbleSlots, kMostCodedSkew + 1> make_nibble_slots() {
  std::array<NibbleSlots, kMostCodedSkew + 1> out{};
  for (unsigned skew = 1; skew <= kMostCodedSkew; ++skew) out[skew] = slots_of(kNibbleModels[skew]);
  return out;
}
inline constexpr std::array<NibbleSlots, kMostCodedSkew + 1> kNibbleSlots = make_nibble_slots();

// Nibbles [begin, end), the last one first.
inline uint16_t* encode_nibbles(RansStates& rans, unsigned skew, const std::byte* bits,
                                size_t begin, size_t end, uint16_t* words) {
  const NibbleSlots& slots = kNibbleSlots[skew];
  for (size_t i = end; i-- > begin;) {
    const unsigned nibble = std::to_integer<unsigned>(bits[i / 2]) >> 4 * (i % 2) & 15;
    const uint32_t frequency = slots.frequency[nibble];
    uint32_t& state = rans.state[i & (rans.lanes - 1)];
    if (state >> (32 - kNibbleSlotBits) >= frequency) {
      *--words = static_cast<uint16_t>(state);
      state >>= 16;
    }
    state = (state / frequency << kNibbleSlotBits) + state % frequency + slots.start[nibble];
  }
  return words;
}

// One nibble from one state, but for the reading of a word.
inline unsigned decode_nibble(const NibbleModel& model, uint32_t& state) {
  const uint32_t slot = state & ((1u << kNibbleSlotBits) - 1);
  // By far the most frequent one where bits are rare, and no division.
  if (slot < model.frequency[0]) {
    state = model.frequency[0] * (state >> kNibbleSlotBits) + slot;
    return kNibbleOrder[0];
  }
  unsigned k = 1;
  while (k < 4 && slot >= model.start[k + 1]) ++k;
  const uint32_t within = slot - model.start[k];
  const uint32_t place = within / model.frequency[k];
  state = model.frequency[k] * ((state >> kNibbleSlotBits) - place) + within;
  return kNibbleOrder[kFirstOfClass[k] + place];
}

// Nibbles [begin, end), which must be whole words of 8 bytes at the start.
inline const uint16_t* decode_nibbles(RansStates& rans, unsigned skew, size_t begin, size_t end,
                                      const uint16_t* next, const uint16_t* limit,
                                      std::byte* bits) {
  const NibbleModel& model = kNibbleModels[skew];
  for (; begin < end; begin += 16) {
    uint64_t word = 0;
    for (size_t i = begin; i < std::min(begin + 16, end) && next <= limit; ++i) {
      uint32_t& state = rans.state[i & (rans.lanes - 1)];
      word |= uint64_t{decode_nibble(model, state)} << 4 * (i - begin);
      if (state < kRansLow) state = state << 16 | *next++;
    }
    store(bits + begin / 2, word);
  }
  return next;
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_NIBBLE_RANS_SCALAR_H_
