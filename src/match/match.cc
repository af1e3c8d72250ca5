#include "match/match.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/cast.h"
#include "match/candidates.h"
#include "match/sampler.h"
#include "predict/combination/combination.h"
#include "predict/scaled/scaled.h"

namespace finedelta {

namespace {

// What a base tensor costs in the index, in bytes: fingerprint, sample hash, compressed name.
constexpr uint64_t kBaseTensorCost = 40;

// What a factor costs, and how much of the size it must save beyond that, in 1024ths: differences
// of estimates under that are noise.
constexpr uint64_t kFactorCost = 5;
constexpr uint64_t kFactorMargin = 2;

// Where no name speaks for a candidate, what it saves must be clearly more than chance.
constexpr uint64_t kContentPercent = 95;

// Of the base tensors that predict best by themselves, so many are tried in pairs.
constexpr size_t kMostCombined = 4;

uint64_t cost_of(const Formula& formula, uint64_t size) {
  const uint64_t factors = formula.used_factors().size();
  const uint64_t margin = factors > 0 ? size / 1024 * kFactorMargin : 0;
  return formula.bases() * kBaseTensorCost + factors * kFactorCost + margin;
}

// The search for one tensor's prediction.
class Matcher {
 public:
  Matcher(const safetensors::Tensor& tensor, const Candidates& candidates, Sampler& sampler)
      : tensor_(tensor), candidates_(candidates), sampler_(sampler) {}

  Result<Match> match(const Shard& shard) {
    FINEDELTA_CHECK(sampler_.begin(tensor_source(shard, tensor_)));
    const Candidates::Found found = candidates_.find(tensor_);
    best_.estimated_bytes = sampler_.estimate_alone();
    bar_ = found.by_content ? best_.estimated_bytes / 100 * kContentPercent : best_.estimated_bytes;
    FINEDELTA_CHECK(try_singles(found));
    if (singles_.empty() || singles_[0].size == 0 || !is_castable(tensor_.dtype)) return best_;
    FINEDELTA_CHECK(try_scales());
    if (!found.by_content) FINEDELTA_CHECK(try_pairs());
    return best_;
  }

 private:
  struct Single {
    uint64_t size = 0;  // estimated, when predicted from this one
    TensorRef ref;
    auto operator<=>(const Single&) const = default;
  };

  TensorSource source(const TensorRef& ref) const {
    return tensor_source(candidates_.shard(ref), candidates_.tensor(ref));
  }

  void consider(const Prediction<TensorRef>& prediction, uint64_t size) {
    const uint64_t total = size + cost_of(prediction.formula, size);
    if (total >= bar_) return;
    best_ = {.prediction = prediction, .estimated_bytes = size};
    bar_ = total;
  }

  Status try_singles(const Candidates::Found& found) {
    for (const TensorRef& ref : found.tensors) {
      FINEDELTA_ASSIGN(const uint64_t size, sampler_.estimate_from(source(ref)));
      consider(Prediction<TensorRef>::base(ref), size);
      singles_.push_back({.size = size, .ref = ref});
    }
    std::ranges::sort(singles_);
    return {};
  }

  Status try_scales() {
    const TensorRef& ref = singles_[0].ref;
    FINEDELTA_ASSIGN(const FloatSample base, sampler_.read_floats(source(ref)));
    for (const float scale : fit_scales(base, sampler_.floats())) {
      const auto prediction = Prediction<TensorRef>::scaled(ref, scale);
      consider(prediction, sampler_.estimate(prediction.formula, {&base, 1}));
    }
    return {};
  }

  Status try_pairs() {
    std::vector<TensorRef> refs;
    for (const Single& single : singles_) {
      if (refs.size() == kMostCombined) break;
      const safetensors::Tensor& base = candidates_.tensor(single.ref);
      if (base.shape == tensor_.shape) refs.push_back(single.ref);
    }
    std::ranges::sort(refs);  // the same pairs whatever their estimates
    for (size_t i = 0; i < refs.size(); ++i) {
      for (size_t k = i + 1; k < refs.size(); ++k) FINEDELTA_CHECK(try_pair(refs[i], refs[k]));
    }
    return {};
  }

  // Of the factors that fit, those with most exact hits and the last ones (least squares) are worth
  // an estimate.
  Status try_pair(const TensorRef& first, const TensorRef& second) {
    FloatSample bases[kMostBases];
    FINEDELTA_ASSIGN(bases[0], sampler_.read_floats(source(first)));
    FINEDELTA_ASSIGN(bases[1], sampler_.read_floats(source(second)));
    std::vector<Prediction<TensorRef>> predictions;
    for (const auto& [a, b] : fit_combination(bases[0], bases[1], sampler_.floats())) {
      predictions.push_back(Prediction<TensorRef>::combination(first, second, a, b));
    }
    if (predictions.empty()) return {};
    const auto most_hits =
        std::ranges::max_element(predictions, {}, [&](const Prediction<TensorRef>& prediction) {
          return sampler_.count_hits(prediction.formula, bases);
        });
    for (const auto& prediction : {*most_hits, predictions.back()}) {
      consider(prediction, sampler_.estimate(prediction.formula, bases));
    }
    return {};
  }

  const safetensors::Tensor& tensor_;
  const Candidates& candidates_;
  Sampler& sampler_;
  std::vector<Single> singles_;  // the best first
  Match best_;
  uint64_t bar_ = 0;  // what the best one costs in all
};

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
        FINEDELTA_ASSIGN(matches[i], Matcher(*tensor, candidates, samplers[worker]).match(*shard));
        return {};
      }));
  return matches;
}

TensorSource tensor_source(const Shard& shard, const safetensors::Tensor& tensor) {
  return {.dtype = tensor.dtype,
          .size = tensor.end - tensor.begin,
          .read = [&shard, &tensor](uint64_t offset, MutableBytes to) {
            return shard.read(tensor, offset, to);
          }};
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
