// The distortion at which the lossy tensors of a model take so many bytes.
#ifndef FINEDELTA_ENGINE_LOSSY_SEARCH_H_
#define FINEDELTA_ENGINE_LOSSY_SEARCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/lossy_fits.h"
#include "finedelta/pack.h"
#include "finedelta/result.h"

namespace finedelta {

// What is found takes at most one part in so many less than is asked for, where sizes do not jump.
inline constexpr uint64_t kSearchPrecision = 512;

// Remembers what it measured: one search finds quickly where another has been. `fits` and
// `options` must outlive it.
class LossySearch {
 public:
  LossySearch(const LossyFits& fits, const PackOptions& options) : fits_(fits), options_(options) {}

  // The smallest distortion at which all lossy tensors take at most so many bytes; nearly all of
  // them, if they have as much to say.
  Result<double> distortion_for(uint64_t bytes);

 private:
  // Logarithms of a distortion, as a part of the largest, and of one more than the bytes it takes.
  struct Point {
    double distortion = 0;
    double bytes = 0;
  };

  // The known ones nearest to what is wanted, one on each side.
  struct Bracket {
    Point coarse;               // takes few enough
    std::optional<Point> fine;  // takes too many
  };
  [[nodiscard]] Bracket bracket(double wanted) const;
  [[nodiscard]] Result<double> guess(const Bracket& around, double wanted) const;
  // Of a logarithm, as in Point.
  [[nodiscard]] double distortion_at(double logarithm) const;
  [[nodiscard]] Result<double> expected(double distortion) const;
  [[nodiscard]] Result<Point> measure(double distortion) const;

  const LossyFits& fits_;
  const PackOptions& options_;
  std::vector<Point> known_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_LOSSY_SEARCH_H_
