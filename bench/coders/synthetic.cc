#include "synthetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "gaussian.h"
#include "numeric/float_cast.h"

namespace finedelta::bench {

namespace {

constexpr double kBaseDeviation = 0.02;

// A value as its type holds it.
float write_value(DType dtype, double value, std::byte* to) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  uint32_t kept = bits;
  if (dtype == DType::kF32) {
    store(to, bits);
  } else if (dtype == DType::kBF16) {
    store(to, bf16_from_f32(bits));
    kept = f32_from_bf16(bf16_from_f32(bits));
  } else {
    store(to, f16_from_f32(bits));
    kept = f32_from_f16(f16_from_f32(bits));
  }
  return std::bit_cast<float>(kept);
}

// What the fine-tune adds, weight by weight of one tensor.
class Steps {
 public:
  Steps(const SyntheticSpec& spec, Gaussian& random) : spec_(spec), random_(random) {}

  // Factors of a new tensor.
  void begin_tensor(uint64_t rows, uint64_t cols) {
    if (spec_.lora_rank == 0) return;
    cols_ = cols;
    left_.resize(rows * spec_.lora_rank);
    right_.resize(cols * spec_.lora_rank);
    for (double& factor : left_) factor = random_.next();
    for (double& factor : right_) factor = random_.next();
    scale_ = spec_.step / std::sqrt(static_cast<double>(spec_.lora_rank));
  }

  double at(uint64_t i) {
    if (spec_.sparse < 1 && !random_.chance(spec_.sparse)) return 0;
    if (spec_.lora_rank == 0) return spec_.step * random_.next();
    const double* const left = &left_[i / cols_ * spec_.lora_rank];
    const double* const right = &right_[i % cols_ * spec_.lora_rank];
    double sum = 0;
    for (uint64_t k = 0; k < spec_.lora_rank; ++k) sum += left[k] * right[k];
    return sum * scale_;
  }

 private:
  const SyntheticSpec& spec_;
  Gaussian& random_;
  uint64_t cols_ = 1;
  double scale_ = 0;
  std::vector<double> left_, right_;
};

// Appends a tensor without its values; returns where they go.
std::byte* add_tensor(Model& model, DType dtype, std::vector<uint64_t> shape) {
  uint64_t size = dtype_unit(dtype);
  for (const uint64_t dimension : shape) size *= dimension;
  const uint64_t begin = model.data.size();
  model.data.resize(begin + size);
  std::string name = "layers." + std::to_string(model.tensors.size()) + ".weight";
  model.tensors.push_back({std::move(name), dtype, std::move(shape), begin, begin + size});
  return model.data.data() + begin;
}

}  // namespace

Pair make_synthetic(const SyntheticSpec& spec) {
  Pair pair;
  Gaussian base_values(spec.seed), step_values(spec.seed + 1), new_values(spec.seed + 2);
  Steps steps(spec, step_values);
  const unsigned unit = dtype_unit(spec.dtype);
  const uint64_t in_tensor = spec.rows * spec.cols;
  pair.base.data.reserve(spec.weights * unit);
  pair.fine_tune.data.reserve((spec.weights + spec.vocab * spec.cols) * unit);
  for (uint64_t done = 0; done < spec.weights; done += in_tensor) {
    const uint64_t count = std::min(in_tensor, spec.weights - done);
    const uint64_t rows = count / spec.cols;
    const uint64_t added = done == 0 ? spec.vocab : 0;
    std::byte* const base = add_tensor(pair.base, spec.dtype, {rows, spec.cols});
    std::byte* const tune = add_tensor(pair.fine_tune, spec.dtype, {rows + added, spec.cols});
    steps.begin_tensor(rows, spec.cols);
    for (uint64_t i = 0; i < count; ++i) {
      const float value =
          write_value(spec.dtype, kBaseDeviation * base_values.next(), base + i * unit);
      write_value(spec.dtype, double{value} + steps.at(i), tune + i * unit);
    }
    for (uint64_t i = count; i < count + added * spec.cols; ++i) {
      write_value(spec.dtype, kBaseDeviation * new_values.next(), tune + i * unit);
    }
  }
  return pair;
}

}  // namespace finedelta::bench
