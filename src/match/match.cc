#include "match/match.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "coder/coder.h"
#include "match/candidates.h"
#include "predict/base/base.h"

namespace finedelta {

namespace {

// The sample: this many units in all, in windows spread evenly over the tensor.
constexpr uint64_t kSampleUnits = 8192;
constexpr uint64_t kWindows = 4;

// What a base tensor costs in the index, in bytes: fingerprint, sample hash, compressed name.
constexpr uint64_t kBaseTensorCost = 40;

// Where no name speaks for a candidate, what it saves must be clearly more than chance.
constexpr uint64_t kContentPercent = 95;

struct Sampler {
  CoderScratch scratch;
  std::vector<std::byte> value;
  std::vector<std::byte> base;
  std::vector<std::byte> prediction;

  // Estimated bytes of `tensor` when coded against `base_tensor` (null: alone).
  Result<uint64_t> estimate(const Shard& shard, const safetensors::Tensor& tensor,
                            const Shard* base_shard, const safetensors::Tensor* base_tensor);

 private:
  Status read_window(const Shard& shard, const safetensors::Tensor& tensor, const Shard* base_shard,
                     const safetensors::Tensor* base_tensor, uint64_t first, uint64_t count,
                     uint64_t place);
};

Status Sampler::read_window(const Shard& shard, const safetensors::Tensor& tensor,
                            const Shard* base_shard, const safetensors::Tensor* base_tensor,
                            uint64_t first, uint64_t count, uint64_t place) {
  const unsigned unit = dtype_unit(tensor.dtype);
  FINEDELTA_CHECK(
      shard.read(tensor, first * unit, std::span(value).subspan(place * unit, count * unit)));
  if (!base_tensor) return {};
  const auto read = [&](uint64_t offset, MutableBytes to) {
    return base_shard->read(*base_tensor, offset, to);
  };
  return read_prediction(base_tensor->dtype, base_tensor->end - base_tensor->begin, tensor.dtype,
                         first, read, base,
                         std::span(prediction).subspan(place * unit, count * unit));
}

Result<uint64_t> Sampler::estimate(const Shard& shard, const safetensors::Tensor& tensor,
                                   const Shard* base_shard,
                                   const safetensors::Tensor* base_tensor) {
  const unsigned unit = dtype_unit(tensor.dtype);
  const uint64_t units = (tensor.end - tensor.begin) / unit;
  if (units == 0) return 0;
  const uint64_t sampled = std::min(units, kSampleUnits);
  const uint64_t windows = sampled == units ? 1 : kWindows;
  const uint64_t count = sampled / windows;
  value.resize(sampled * unit);
  prediction.resize(base_tensor ? value.size() : 0);
  for (uint64_t w = 0; w < windows; ++w) {
    const uint64_t first = (units - sampled) / windows * w + count * w;
    FINEDELTA_CHECK(read_window(shard, tensor, base_shard, base_tensor, first, count, w * count));
  }
  const ChunkInput chunk{.dtype = tensor.dtype, .value = value, .prediction = prediction};
  // Scaled to the whole tensor in two steps, since estimate x units may not fit 64 bits.
  const uint64_t size = choose_coder(chunk, scratch).estimate;
  return units / sampled * size + units % sampled * size / sampled;
}

Result<Match> match_one(const Shard& shard, const safetensors::Tensor& tensor,
                        const Candidates& candidates, Sampler& sampler) {
  const Candidates::Found found = candidates.find(tensor);
  FINEDELTA_ASSIGN(const uint64_t alone, sampler.estimate(shard, tensor, nullptr, nullptr));
  Match best{.base = std::nullopt, .estimated_bytes = alone};
  uint64_t bar = found.by_content ? alone / 100 * kContentPercent : alone;
  for (const TensorRef& ref : found.tensors) {
    FINEDELTA_ASSIGN(const uint64_t size, sampler.estimate(shard, tensor, &candidates.shard(ref),
                                                           &candidates.tensor(ref)));
    if (size + kBaseTensorCost >= bar) continue;
    best = {.base = ref, .estimated_bytes = size};
    bar = size + kBaseTensorCost;
  }
  return best;
}

}  // namespace

Result<std::vector<Match>> match_tensors(std::span<const Checkpoint> bases,
                                         const Checkpoint& fine_tune, unsigned threads,
                                         const Cancellation* cancel) {
  const Candidates candidates(bases, fine_tune);
  std::vector<std::pair<const Shard*, const safetensors::Tensor*>> tensors;
  for (const Shard& shard : fine_tune.shards) {
    for (const auto& tensor : shard.header.tensors) tensors.emplace_back(&shard, &tensor);
  }
  std::vector<Match> matches(tensors.size());
  std::vector<Sampler> samplers(threads);
  FINEDELTA_CHECK(
      parallel_for(tensors.size(), threads, cancel, [&](uint64_t i, unsigned worker) -> Status {
        const auto [shard, tensor] = tensors[i];
        FINEDELTA_ASSIGN(matches[i], match_one(*shard, *tensor, candidates, samplers[worker]));
        return {};
      }));
  return matches;
}

std::string describe_match(const safetensors::Tensor& base, const safetensors::Tensor& fine_tune,
                           bool tied) {
  std::string text;
  const auto add = [&](bool applies, std::string_view word) {
    if (!applies) return;
    if (!text.empty()) text += '+';
    text += word;
  };
  const bool other_name = base.name != fine_tune.name;
  add(other_name && tied, "tied");
  add(other_name && !tied, "renamed");
  add(base.shape != fine_tune.shape, "resized");
  add(base.dtype != fine_tune.dtype, "cast");
  return text.empty() ? "same" : text;
}

}  // namespace finedelta
