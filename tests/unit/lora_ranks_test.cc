#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lora/ranks.h"

namespace finedelta::peft {
namespace {

using testing::ElementsAre;

uint64_t numbers_of(const std::vector<Spectrum>& spectra, const Ranks& ranks) {
  uint64_t numbers = 0;
  for (size_t i = 0; i < ranks.size(); ++i) numbers += ranks[i] * spectra[i].cost;
  return numbers;
}

// The most that any choice of ranks keeps with so many numbers.
double best_gain(const std::vector<Spectrum>& spectra, uint64_t numbers) {
  double best = 0;
  Ranks ranks(spectra.size());
  while (true) {
    if (numbers_of(spectra, ranks) <= numbers) best = std::max(best, gain_of(spectra, ranks));
    size_t i = 0;
    while (i < ranks.size() && ranks[i] == spectra[i].gains.size()) ranks[i++] = 0;
    if (i == ranks.size()) return best;
    ++ranks[i];
  }
}

std::vector<Spectrum> random_spectra(uint64_t seed) {
  uint64_t state = seed * 1'000'003 + 1;
  const auto next = [&state] {
    state = state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return state >> 40;
  };
  std::vector<Spectrum> spectra(3);
  for (Spectrum& spectrum : spectra) {
    spectrum.cost = 1 + next() % 9;
    for (size_t k = 0; k < 4; ++k) spectrum.gains.push_back(static_cast<double>(next() % 100));
    std::ranges::sort(spectrum.gains, std::greater());
  }
  return spectra;
}

TEST(LoraRanks, EveryBeginningOfTheOrderIsTheBestChoiceOfItsSize) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Spectrum> spectra = random_spectra(seed);
    const auto order = order_directions(spectra);
    ASSERT_EQ(order.size(), 12);
    for (size_t count = 0; count <= order.size(); ++count) {
      const Ranks ranks = ranks_of(order, count, Ranks(3));
      const double best = best_gain(spectra, numbers_of(spectra, ranks));
      EXPECT_EQ(gain_of(spectra, ranks), best) << "seed " << seed << ", " << count;
    }
  }
}

TEST(LoraRanks, GoByWhatANumberKeeps) {
  const std::vector<Spectrum> spectra = {{.gains = {12, 5}, .cost = 4},
                                         {.gains = {8, 1}, .cost = 2}};
  EXPECT_THAT(order_directions(spectra), ElementsAre(1, 0, 0, 1));
}

TEST(LoraRanks, ASizeIsFilledAsFarAsItGoes) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Spectrum> spectra = random_spectra(seed);
    const auto order = order_directions(spectra);
    const auto size_of = [&](const Ranks& ranks) { return 10 + numbers_of(spectra, ranks); };
    for (uint64_t budget = 10; budget < 130; ++budget) {
      const Ranks ranks = ranks_for_size(order, Ranks(3), budget, size_of);
      ASSERT_LE(size_of(ranks), budget);
      for (size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(ranks[i] == 4 || size_of(ranks) + spectra[i].cost > budget);
      }
    }
  }
}

TEST(LoraRanks, TheLeastRanksAreAlwaysGiven) {
  const std::vector<Spectrum> spectra = {{.gains = {9}, .cost = 1}, {.gains = {1}, .cost = 5}};
  const auto order = order_directions(spectra);
  const auto size_of = [&](const Ranks& ranks) { return numbers_of(spectra, ranks); };
  EXPECT_THAT(ranks_for_size(order, {0, 1}, 5, size_of), ElementsAre(0, 1));
  EXPECT_THAT(ranks_for_size(order, {0, 1}, 6, size_of), ElementsAre(1, 1));
  EXPECT_THAT(ranks_for_gain(order, {0, 1}, spectra, 1), ElementsAre(0, 1));
  EXPECT_THAT(ranks_for_gain(order, {0, 1}, spectra, 2), ElementsAre(1, 1));
}

TEST(LoraRanks, AGainIsReachedWithTheFewestDirections) {
  const std::vector<Spectrum> spectra = {{.gains = {8, 2}, .cost = 1}, {.gains = {4}, .cost = 1}};
  const auto order = order_directions(spectra);
  EXPECT_THAT(ranks_for_gain(order, Ranks(2), spectra, 8), ElementsAre(1, 0));
  EXPECT_THAT(ranks_for_gain(order, Ranks(2), spectra, 8.5), ElementsAre(1, 1));
  EXPECT_THAT(ranks_for_gain(order, Ranks(2), spectra, 12.5), ElementsAre(2, 1));
  EXPECT_THAT(ranks_for_gain(order, Ranks(2), spectra, 99), ElementsAre(2, 1));
}

}  // namespace
}  // namespace finedelta::peft
