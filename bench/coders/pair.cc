#include "pair.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "predict/low_rank/predictor.h"

namespace finedelta::bench {

namespace {

using safetensors::Tensor;

size_t size_of(const Tensor& tensor) { return tensor.end - tensor.begin; }

// Bytes at the front of `tensor` that lie in `base` in the same place: rows that both have.
size_t common_bytes(const Tensor& base, const Tensor& tensor) {
  if (base.dtype != tensor.dtype || base.shape.size() != tensor.shape.size()) return 0;
  const ptrdiff_t same = base.shape.empty() ? 0 : 1;
  if (!std::equal(base.shape.begin() + same, base.shape.end(), tensor.shape.begin() + same)) {
    return 0;
  }
  return std::min(size_of(base), size_of(tensor));
}

// As pack sees it: predict/low_rank/predictor.h.
size_t columns_of(const Tensor& tensor) {
  return tensor.shape.size() < 2 ? 0 : matrix_shape(tensor.shape).columns;
}

}  // namespace

std::vector<Part> match_parts(const Pair& pair) {
  std::map<std::string_view, const Tensor*> by_name;
  for (const Tensor& tensor : pair.base.tensors) by_name[tensor.name] = &tensor;
  std::vector<Part> parts;
  for (const Tensor& tensor : pair.fine_tune.tensors) {
    const auto partner = by_name.find(tensor.name);
    const size_t common = partner == by_name.end() ? 0 : common_bytes(*partner->second, tensor);
    if (common > 0) {
      parts.push_back(
          {tensor.dtype, tensor.begin, common, partner->second->begin, columns_of(tensor)});
    }
    const size_t rest = size_of(tensor) - common;
    if (rest > 0) parts.push_back({tensor.dtype, tensor.begin + common, rest, std::nullopt});
  }
  return parts;
}

uint64_t Workload::bytes() const {
  uint64_t bytes = 0;
  for (const Copy& copy : copies) bytes += copy.value.size();
  return bytes;
}

uint64_t Workload::weights() const {
  uint64_t weights = 0;
  for (const Part& part : parts) weights += uint64_t{part.size} * 8 / dtype_bits(part.dtype);
  return weights * copies.size();
}

Workload make_workload(std::string name, Pair pair, uint64_t least_bytes) {
  Workload workload{std::move(name), match_parts(pair), {}};
  const uint64_t size = std::max<uint64_t>(pair.fine_tune.data.size(), 1);
  const uint64_t count = std::max<uint64_t>((least_bytes + size - 1) / size, 1);
  workload.copies.reserve(count);
  workload.copies.emplace_back(std::move(pair.base.data), std::move(pair.fine_tune.data));
  while (workload.copies.size() < count) workload.copies.push_back(workload.copies.front());
  return workload;
}

}  // namespace finedelta::bench
