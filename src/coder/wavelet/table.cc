#include "coder/wavelet/table.h"

#include <algorithm>
#include <bit>

#include "numeric/log2.h"

namespace finedelta::wavelet {

namespace {

constexpr unsigned kMostRice = 3;
constexpr unsigned kLongestUnary = 255;

// 512 * 2^(-i / 8)
constexpr std::array<uint32_t, 8> kEighths = {512, 470, 431, 395, 362, 332, 304, 279};

uint32_t weight_of(unsigned level, unsigned precision) {
  const unsigned fraction = level & ((1u << precision) - 1);
  return (kEighths[fraction << (kMostPrecision - precision)] << 16) >> (level >> precision);
}

// The level that stands for a symbol that does not come: above that of the rarest one.
unsigned absent_level(uint32_t total, unsigned precision) {
  return (static_cast<unsigned>(std::bit_width(total)) << precision) + 1;
}

unsigned level_of(uint32_t count, uint32_t total, unsigned precision) {
  const unsigned absent = absent_level(total, precision);
  if (count == 0) return absent;
  const uint32_t bits = log2_fixed(total) - log2_fixed(count);
  const unsigned shift = kLog2Fraction - precision;
  return std::min((bits + (1u << (shift - 1))) >> shift, absent - 1);
}

// What the first level is compared with.
unsigned first_guess(unsigned precision) { return 1u << precision; }

unsigned zigzag(unsigned value, unsigned guess) {
  return value >= guess ? 2 * (value - guess) : 2 * (guess - value) - 1;
}

// The Rice parameter with which these numbers take the fewest bits, and none has too many ones.
unsigned best_rice(std::span<const unsigned> numbers) {
  unsigned best = 0;
  uint64_t least = ~uint64_t{0};
  for (unsigned rice = 0; rice <= kMostRice; ++rice) {
    uint64_t bits = 0;
    unsigned most_ones = 0;
    for (const unsigned number : numbers) {
      bits += (number >> rice) + 1 + rice;
      most_ones = std::max(most_ones, number >> rice);
    }
    if (bits < least && most_ones <= kLongestUnary) {
      least = bits;
      best = rice;
    }
  }
  return best;
}

}  // namespace

Table write_table(std::span<const uint32_t, kMostSymbols> counts, unsigned precision,
                  BitWriter& bits) {
  Table table;
  uint32_t total = 0;
  for (unsigned i = 0; i < kMostSymbols; ++i) {
    total += counts[i];
    if (counts[i] > 0) table.size = i + 1;
  }
  std::array<unsigned, kMostSymbols> numbers;
  unsigned guess = first_guess(precision);
  for (unsigned i = 0; i < table.size; ++i) {
    const unsigned level = level_of(counts[i], total, precision);
    if (counts[i] > 0) table.weight[i] = weight_of(level, precision);
    numbers[i] = zigzag(level, guess);
    guess = level;
  }
  const std::span<const unsigned> used = std::span(numbers).first(table.size);
  const unsigned rice = best_rice(used);
  BitSink sink = bits.sink(10 + used.size() * (kLongestUnary + 1 + kMostRice));
  sink.put(table.size - 1, 8);
  sink.put(rice, 2);
  for (const unsigned number : used) {
    sink.put_unary(number >> rice);
    sink.put(number & ((1u << rice) - 1), rice);
  }
  bits.give_back(sink);
  return table;
}

bool read_table(BitReader& bits, unsigned precision, uint32_t total, Table& table) {
  const unsigned absent = absent_level(total, precision);
  table.size = static_cast<unsigned>(bits.take(8)) + 1;
  const auto rice = static_cast<unsigned>(bits.take(2));
  unsigned level = first_guess(precision);
  for (unsigned i = 0; i < table.size; ++i) {
    const uint64_t number = bits.take_rice(rice);
    if (number >> rice > kLongestUnary || !bits.ok()) return false;
    const auto step = static_cast<unsigned>((number + 1) / 2);
    if (number % 2 != 0 && step > level) return false;
    level = number % 2 != 0 ? level - step : level + step;
    if (level > absent) return false;
    table.weight[i] = level == absent ? 0 : weight_of(level, precision);
  }
  return table.weight[table.size - 1] != 0 && bits.ok();
}

}  // namespace finedelta::wavelet
