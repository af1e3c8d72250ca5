// What a low-rank predictor makes of each matrix of a real pair: estimated bits a weight without
// and with it, rank, the size of the factors' record, and the time it took.
//
// Usage: low_rank_fit BASE FINE-TUNE [RANK]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "checkpoint/checkpoint.h"
#include "kernels/cast.h"
#include "predict/low_rank/find.h"
#include "predict/low_rank/predictor.h"
#include "predict/low_rank/residual_bits.h"

namespace finedelta {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Place {
  const Shard* shard;
  const safetensors::Tensor* tensor;
};

std::map<std::string, Place> tensors_of(const Checkpoint& checkpoint) {
  std::map<std::string, Place> places;
  for (const Shard& shard : checkpoint.shards) {
    for (const auto& tensor : shard.header.tensors) places[tensor.name] = {&shard, &tensor};
  }
  return places;
}

ReadRows reader(const Place& place, uint64_t row_bytes) {
  return [place, row_bytes](uint64_t row, MutableBytes to) {
    return place.shard->read(*place.tensor, row * row_bytes, to);
  };
}

std::vector<std::byte> everything(const Place& place) {
  std::vector<std::byte> bytes(place.tensor->end - place.tensor->begin);
  if (!place.shard->read(*place.tensor, 0, bytes)) std::abort();
  return bytes;
}

struct Totals {
  double weights = 0, base = 0, low_rank = 0, factors = 0, record = 0, seconds = 0;
};

// The residual of all elements, not of a sample.
double all_residual_bits(DType dtype, const Factors& factors, Bytes fine, Bytes base) {
  std::vector<std::byte> prediction(base.size());
  const auto predictor = LowRankPredictor::make(factors);
  if (!predictor) std::abort();
  predictor->predict(dtype, 0, base, prediction);
  return residual_bits(dtype, fine, prediction, predictor->elements());
}

void try_matrix(const std::string& name, const Place& base, const Place& fine, size_t largest_rank,
                Totals& totals) {
  const auto& shape = fine.tensor->shape;
  const DType dtype = fine.tensor->dtype;
  uint64_t elements = 1;
  for (const uint64_t size : shape) elements *= size;
  const uint64_t rows = std::min(shape[0], base.tensor->shape[0]);
  const uint64_t columns = elements / shape[0];
  const MatrixPair pair = {dtype, rows, columns, reader(fine, columns * dtype_unit(dtype)),
                           reader(base, columns * dtype_unit(dtype))};
  const auto begin = Clock::now();
  const auto choice = find_factors(pair, largest_rank);
  const double seconds = seconds_since(begin);
  if (!choice) std::abort();
  auto fine_bytes = everything(fine), base_bytes = everything(base);
  fine_bytes.resize(rows * columns * dtype_unit(dtype));
  base_bytes.resize(fine_bytes.size());
  const double weights = static_cast<double>(rows * columns);
  const double without = residual_bits(dtype, fine_bytes, base_bytes, rows * columns);
  double with = without, record = 0;
  size_t rank = 0;
  if (choice->factors) {
    rank = choice->factors->rank();
    record = 8.0 * static_cast<double>(encode_factors(*choice->factors).size());
    with = all_residual_bits(dtype, *choice->factors, fine_bytes, base_bytes) + choice->factor_bits;
  }
  fmt::print(
      "{:48s} {:9.0f}  base {:7.4f}  low rank {:7.4f} (residual estimated {:.4f}, factors {:.4f}, "
      "record {:.4f}, rank {})  {:.3f} s\n",
      name, weights, without / weights, with / weights, choice->residual_bits / weights,
      choice->factor_bits / weights, record / weights, rank, seconds);
  totals.weights += weights;
  totals.base += without;
  totals.low_rank += with;
  totals.factors += choice->factor_bits;
  totals.record += record;
  totals.seconds += seconds;
}

int run(const char* base_name, const char* fine_name, size_t largest_rank) {
  const auto base = open_checkpoint(base_name, {.role = Role::kBase});
  const auto fine = open_checkpoint(fine_name, {});
  if (!base || !fine) return 1;
  const auto base_tensors = tensors_of(*base);
  Totals totals;
  for (const auto& [name, place] : tensors_of(*fine)) {
    const auto found = base_tensors.find(name);
    if (found == base_tensors.end() || place.tensor->shape.size() < 2) continue;
    const Place& other = found->second;
    const DType dtype = place.tensor->dtype;
    if (dtype != other.tensor->dtype || !is_castable(dtype)) continue;
    if (place.tensor->shape.size() != other.tensor->shape.size()) continue;
    try_matrix(name, other, place, largest_rank, totals);
  }
  fmt::print(
      "{:.0f} weights: base {:.4f}, low rank {:.4f}, factors {:.4f} (record {:.4f}); "
      "{:.4f} s per million weights\n",
      totals.weights, totals.base / totals.weights, totals.low_rank / totals.weights,
      totals.factors / totals.weights, totals.record / totals.weights,
      totals.seconds / totals.weights * 1e6);
  return 0;
}

}  // namespace
}  // namespace finedelta

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const size_t largest_rank = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 32;
  return finedelta::run(argv[1], argv[2], largest_rank);
}
