#include "lora/ranks.h"

#include <algorithm>

namespace finedelta::peft {

std::vector<size_t> order_directions(std::span<const Spectrum> spectra) {
  struct Direction {
    double worth;
    size_t matrix;
  };
  std::vector<Direction> directions;
  for (size_t i = 0; i < spectra.size(); ++i) {
    for (const double gain : spectra[i].gains) {
      directions.push_back({gain / static_cast<double>(spectra[i].cost), i});
    }
  }
  std::ranges::stable_sort(directions, std::greater(), &Direction::worth);
  std::vector<size_t> order;
  order.reserve(directions.size());
  for (const Direction& direction : directions) order.push_back(direction.matrix);
  return order;
}

Ranks ranks_of(std::span<const size_t> order, size_t count, const Ranks& start) {
  Ranks ranks(start.size());
  for (const size_t matrix : order.first(count)) ++ranks[matrix];
  for (size_t i = 0; i < ranks.size(); ++i) ranks[i] = std::max(ranks[i], start[i]);
  return ranks;
}

Ranks ranks_for_size(std::span<const size_t> order, const Ranks& start, uint64_t budget,
                     const std::function<uint64_t(const Ranks&)>& size_of) {
  size_t fits = 0;
  size_t too_many = order.size() + 1;
  while (too_many - fits > 1) {
    const size_t middle = fits + (too_many - fits) / 2;
    const bool is_fit = size_of(ranks_of(order, middle, start)) <= budget;
    (is_fit ? fits : too_many) = middle;
  }
  Ranks ranks = ranks_of(order, fits, start);
  // A matrix whose next direction is too large has no smaller one: all its directions cost the
  // same.
  std::vector<bool> is_full(start.size());
  for (const size_t matrix : order.subspan(fits)) {
    if (is_full[matrix]) continue;
    ++ranks[matrix];
    if (size_of(ranks) <= budget) continue;
    --ranks[matrix];
    is_full[matrix] = true;
    if (std::ranges::find(is_full, false) == is_full.end()) break;
  }
  return ranks;
}

Ranks ranks_for_gain(std::span<const size_t> order, const Ranks& start,
                     std::span<const Spectrum> spectra, double wanted) {
  size_t fits = order.size();
  size_t too_few = 0;
  if (gain_of(spectra, ranks_of(order, 0, start)) >= wanted) return ranks_of(order, 0, start);
  while (fits - too_few > 1) {
    const size_t middle = too_few + (fits - too_few) / 2;
    const bool is_enough = gain_of(spectra, ranks_of(order, middle, start)) >= wanted;
    (is_enough ? fits : too_few) = middle;
  }
  return ranks_of(order, fits, start);
}

double gain_of(std::span<const Spectrum> spectra, const Ranks& ranks) {
  double sum = 0;
  for (size_t i = 0; i < spectra.size(); ++i) {
    const size_t count = std::min(ranks[i], spectra[i].gains.size());
    for (size_t k = 0; k < count; ++k) sum += spectra[i].gains[k];
  }
  return sum;
}

}  // namespace finedelta::peft
