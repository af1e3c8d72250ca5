#include "lora/fitting.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"

namespace finedelta::peft {

namespace {

// Where no rank is asked for, what is tried first; doubled where the budget asks for more.
constexpr size_t kFirstRank = 32;

// What factors lose, of what they keep, when they are rounded to BF16: two errors of 2^-9 at most,
// and some room.
constexpr double kLostByRounding = 1e-5;

// Beside the fits: the program itself, its stacks and the model's headers.
constexpr uint64_t kLeastBeside = uint64_t{24} << 20;

}  // namespace

uint64_t worker_bytes(uint64_t rows, uint64_t columns, size_t rank) {
  // Twice the factors: as they are found, and scaled or rounded.
  return fit_bytes(rows, columns, rank) + 2 * sizeof(float) * rank * (rows + columns);
}

Fitting::Fitting(const Survey& survey, const LoraOptions& options, Spool& spool,
                 ProgressMeter& progress)
    : survey_(survey),
      options_(options),
      spool_(spool),
      progress_(progress),
      states_(survey.matrices.size()),
      spectra_(survey.matrices.size()) {
  for (size_t i = 0; i < spectra_.size(); ++i) {
    const AdapterModule& module = survey.adapter.modules[i];
    spectra_[i].cost = (module.rows + module.columns) * (module.tied.empty() ? 1 : 2);
  }
}

Result<Ranks> Fitting::run() {
  std::vector<size_t> matrices(states_.size());
  for (size_t i = 0; i < matrices.size(); ++i) {
    matrices[i] = i;
    states_[i].tried = std::min<size_t>(options_.max_rank.value_or(kFirstRank), largest(i));
  }
  while (true) {
    FINEDELTA_CHECK(fit(matrices));
    Ranks ranks = choose();
    matrices.clear();
    for (size_t i = 0; i < ranks.size(); ++i) {
      State& state = states_[i];
      if (state.is_complete || ranks[i] < state.tried) continue;
      matrices.push_back(i);
      state.tried = std::min(2 * state.tried, largest(i));
    }
    if (!matrices.empty()) continue;
    FINEDELTA_CHECK(check(ranks));
    return ranks;
  }
}

size_t Fitting::largest(size_t matrix) const {
  const AdapterModule& module = survey_.adapter.modules[matrix];
  const size_t rank = largest_rank(module.rows, module.columns);
  return options_.max_rank ? std::min<size_t>(rank, *options_.max_rank) : rank;
}

Status Fitting::fit(const std::vector<size_t>& matrices) {
  uint64_t most = 1;
  for (const size_t i : matrices) {
    const AdapterModule& module = survey_.adapter.modules[i];
    const uint64_t bytes = worker_bytes(module.rows, module.columns, states_[i].tried);
    most = std::max(most, bytes);
    if (bytes + kLeastBeside > options_.memory) {
      return fail(ErrorCode::kFailure,
                  "finding {} directions of {} takes about {} MiB, too much for the memory limit; "
                  "raise it with --memory",
                  states_[i].tried, quote(module.name), (bytes + kLeastBeside) >> 20);
    }
  }
  const unsigned workers = affordable_workers(options_, most, 0);
  return parallel_ordered(
      matrices.size(), workers, workers, options_.cancel,
      [&](uint64_t i, unsigned) {
        MatrixReader reader = survey_.matrices[matrices[i]].reader();
        return fit_matrix(reader.pair(), states_[matrices[i]].tried);
      },
      [&](uint64_t i, const MatrixFit& fit) { return keep(matrices[i], fit); });
}

Status Fitting::keep(size_t matrix, const MatrixFit& fit) {
  State& state = states_[matrix];
  Spectrum& spectrum = spectra_[matrix];
  if (spectrum.gains.empty()) {
    energy_ += fit.directions.energy;
    progress_.add(survey_.matrices[matrix].bytes());
  }
  spectrum.gains.clear();
  for (const float value : fit.directions.values) {
    spectrum.gains.push_back(double{value} * value * fit.share);
  }
  state.is_complete =
      fit.is_exact || fit.directions.rank() < state.tried || state.tried >= largest(matrix);
  FINEDELTA_ASSIGN(state.place, spool_.add(fit.directions));
  return {};
}

Result<MatrixFactors> Fitting::read(size_t matrix, size_t rank) const {
  const AdapterModule& module = survey_.adapter.modules[matrix];
  return spool_.read(states_[matrix].place, spectra_[matrix].gains.size(), rank, module.rows,
                     module.columns);
}

Ranks Fitting::choose() const {
  if (options_.max_rank) return choose_by_rank();
  const std::vector<size_t> order = order_directions(spectra_);
  if (options_.energy) return ranks_for_gain(order, survey_.least, spectra_, wanted_gain());
  if (size_of(survey_.least) > *options_.size) return survey_.least;
  return ranks_for_size(order, survey_.least, *options_.size,
                        [this](const Ranks& ranks) { return size_of(ranks); });
}

Ranks Fitting::choose_by_rank() const {
  Ranks ranks = survey_.least;
  for (size_t i = 0; i < ranks.size(); ++i) {
    ranks[i] = std::max(ranks[i], spectra_[i].gains.size());
  }
  return ranks;
}

uint64_t Fitting::size_of(const Ranks& ranks) const { return lay_out(survey_.adapter, ranks).size; }

double Fitting::wanted_gain() const { return energy_ * *options_.energy * (1 + kLostByRounding); }

Status Fitting::check(const Ranks& ranks) const {
  if (options_.size) return check_size(ranks);
  if (options_.energy && gain_of(spectra_, ranks) < wanted_gain()) {
    return fail(ErrorCode::kUsage, "--energy {} can't be reached: an adapter can keep {:.4f}",
                *options_.energy, gain_of(spectra_, ranks) / energy_ * (1 - kLostByRounding));
  }
  return {};
}

Status Fitting::check_size(const Ranks& ranks) const {
  uint64_t least = size_of(survey_.least);
  const bool holds_something =
      !survey_.whole.empty() || std::ranges::any_of(ranks, [](size_t rank) { return rank > 0; });
  if (least <= *options_.size && holds_something) return {};
  if (survey_.whole.empty()) {
    // One direction of whatever matrix has the smallest.
    least = ~uint64_t{0};
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (spectra_[i].gains.empty()) continue;
      Ranks one(ranks.size());
      one[i] = 1;
      least = std::min(least, size_of(one));
    }
  }
  return fail(ErrorCode::kUsage, "--size {} is too small: the smallest adapter has {} bytes",
              *options_.size, least);
}

}  // namespace finedelta::peft
