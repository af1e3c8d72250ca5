// A quick and rough measure says where to look; it is off by about the same factor in the
// neighbourhood of what was measured. Where that does not help, the interval is cut.
#include "engine/lossy_search.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace finedelta {

namespace {

// Of the bytes wanted: what is near enough, and where guesses aim.
constexpr double kNearEnough = 1.0 / kSearchPrecision;
constexpr double kBelow = kNearEnough / 2;
// Guesses that failed before the interval is cut.
constexpr int kGuesses = 6;
constexpr int kMostMeasured = 60;
// How precisely a guess is made.
constexpr double kPrecise = 1e-4;
// Distortions nearer to each other give the same bytes, but where these jump.
constexpr double kLeastInterval = 1e-6;

const double kFinest = std::log(kLeastDistortion);

}  // namespace

LossySearch::Bracket LossySearch::bracket(double wanted) const {
  Bracket around;
  for (const Point& point : known_) {
    if (point.bytes > wanted) {
      if (!around.fine || point.distortion > around.fine->distortion) around.fine = point;
    } else if (point.distortion < around.coarse.distortion) {
      around.coarse = point;
    }
  }
  return around;
}

double LossySearch::distortion_at(double logarithm) const {
  return fits_.largest_distortion() * std::exp(logarithm);
}

Result<double> LossySearch::expected(double distortion) const {
  FINEDELTA_ASSIGN(const double bytes, fits_.expected_bytes_at(distortion_at(distortion)));
  return std::log1p(bytes);
}

Result<LossySearch::Point> LossySearch::measure(double distortion) const {
  FINEDELTA_ASSIGN(const uint64_t bytes, fits_.bytes_at(distortion_at(distortion), options_));
  return Point{.distortion = distortion, .bytes = std::log1p(static_cast<double>(bytes))};
}

// Where the rough measure, corrected by how much it is off at the nearest known distortion, finds
// what is wanted.
Result<double> LossySearch::guess(const Bracket& around, double wanted) const {
  const Point& nearest = around.fine && (around.coarse.bytes == 0 ||
                                         around.fine->bytes - wanted < wanted - around.coarse.bytes)
                             ? *around.fine
                             : around.coarse;
  double off = 0;
  if (nearest.bytes > 0) {
    FINEDELTA_ASSIGN(const double rough, expected(nearest.distortion));
    off = nearest.bytes - rough;
  }
  double coarse = around.coarse.distortion;
  double fine = around.fine ? around.fine->distortion : kFinest;
  while (coarse - fine > kPrecise) {
    const double middle = (coarse + fine) / 2;
    FINEDELTA_ASSIGN(const double bytes, expected(middle));
    (bytes + off > wanted - kBelow ? fine : coarse) = middle;
  }
  return coarse;
}

Result<double> LossySearch::distortion_for(uint64_t bytes) {
  const double wanted = std::log1p(static_cast<double>(bytes));
  Bracket around = bracket(wanted);
  for (int i = 0; i < kMostMeasured; ++i) {
    const double end = around.fine ? around.fine->distortion : kFinest;
    if (wanted - around.coarse.bytes <= kNearEnough) break;
    if (around.coarse.distortion - end <= kLeastInterval) break;
    const double middle = (around.coarse.distortion + end) / 2;
    double next = middle;
    if (i < kGuesses) {
      FINEDELTA_ASSIGN(next, guess(around, wanted));
      // Nothing new would be measured there.
      if (around.coarse.distortion - next < kPrecise) next = middle;
    }
    FINEDELTA_ASSIGN(const Point point, measure(next));
    known_.push_back(point);
    around = bracket(wanted);
  }
  return distortion_at(around.coarse.distortion);
}

}  // namespace finedelta
