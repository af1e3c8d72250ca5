// Seeded normal and uniform deviates.
#ifndef FINEDELTA_BENCH_CODERS_GAUSSIAN_H_
#define FINEDELTA_BENCH_CODERS_GAUSSIAN_H_

#include <cmath>
#include <cstdint>
#include <random>

namespace finedelta::bench {

// std::normal_distribution may differ from library to library; this is Marsaglia's polar method on
// the bits of std::mt19937_64, which the standard fixes.
class Gaussian {
 public:
  explicit Gaussian(uint64_t seed) : engine_(seed) {}

  // Mean 0, deviation 1.
  double next() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    double x = 0, y = 0, square = 0;
    do {
      const uint64_t bits = engine_();
      x = symmetric(static_cast<uint32_t>(bits));
      y = symmetric(static_cast<uint32_t>(bits >> 32));
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    spare_ = y * factor;
    has_spare_ = true;
    return x * factor;
  }

  // True with this probability.
  bool chance(double probability) {
    return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability;
  }

 private:
  static double symmetric(uint32_t bits) { return static_cast<int32_t>(bits) * 0x1p-31; }

  std::mt19937_64 engine_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_GAUSSIAN_H_
