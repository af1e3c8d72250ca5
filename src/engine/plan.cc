#include "finedelta/plan.h"

#include <map>

#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "engine/low_rank_search.h"
#include "engine/pack_plan.h"
#include "engine/resources.h"
#include "engine/size_estimate.h"

namespace finedelta {

namespace {

std::map<TensorRef, unsigned> count_uses(const std::vector<Match>& matches) {
  std::map<TensorRef, unsigned> uses;
  for (const Match& match : matches) {
    for (const TensorRef& base : match.prediction.bases()) ++uses[base];
  }
  return uses;
}

std::vector<PlannedTensor> list_tensors(const Inputs& inputs, const std::vector<Match>& matches) {
  const auto uses = count_uses(matches);
  std::vector<PlannedTensor> out;
  for (const Shard& shard : inputs.fine_tune.shards) {
    for (const safetensors::Tensor& tensor : shard.header.tensors) {
      const Match& match = matches[out.size()];
      const Formula& formula = match.prediction.formula;
      PlannedTensor planned{.name = tensor.name,
                            .shard = inputs.fine_tune.entries[shard.entry].path,
                            .dtype = std::string(dtype_name(tensor.dtype)),
                            .shape = tensor.shape,
                            .bytes = tensor.end - tensor.begin,
                            .match = "none",
                            .predictor = std::string(predictor_name(formula.predictor)),
                            .estimated_bytes = match.estimated_bytes};
      const std::span<const TensorRef> refs = match.prediction.bases();
      if (!refs.empty()) {
        const safetensors::Tensor& base_tensor = inputs.tensor(refs[0]);
        planned.base = refs[0].checkpoint;
        planned.base_tensor = base_tensor.name;
        planned.match = describe_match(base_tensor, tensor, uses.at(refs[0]) > 1);
      }
      if (refs.size() > 1) {
        planned.second_base = refs[1].checkpoint;
        planned.second_base_tensor = inputs.tensor(refs[1]).name;
      }
      out.push_back(std::move(planned));
    }
  }
  return out;
}

// Gives the tensors that pack would predict by low rank that prediction.
class LowRankPlanner {
 public:
  LowRankPlanner(const Inputs& inputs, const PlanOptions& options, std::vector<Match>& matches)
      : inputs_(inputs), options_(options), matches_(matches) {}

  Status run() {
    for (const Shard& shard : inputs_.fine_tune.shards) {
      for (const safetensors::Tensor& tensor : shard.header.tensors) {
        tensors_.emplace_back(&shard, &tensor);
      }
    }
    const unsigned threads = affordable_workers(options_, kLowRankSearchBytes, 0);
    std::vector<Sampler> samplers(threads);
    return parallel_for(tensors_.size(), threads, options_.cancel,
                        [&](uint64_t i, unsigned worker) { return ask(i, samplers[worker]); });
  }

 private:
  Status ask(uint64_t i, Sampler& sampler) {
    const auto [shard, tensor] = tensors_[i];
    Match& match = matches_[i];
    if (match.prediction.bases().size() != 1) return {};
    const TensorRef& ref = match.prediction.bases()[0];
    Formula& formula = match.prediction.formula;
    if (!may_be_low_rank(formula, inputs_.tensor(ref).dtype, *tensor)) return {};
    const auto question =
        ask_low_rank(*shard, *tensor, inputs_.shard(ref), inputs_.tensor(ref), formula);
    FINEDELTA_ASSIGN(const auto answer, find_low_rank(question, options_.level, sampler));
    if (!answer) return {};
    formula = {.predictor = Predictor::kLowRank};
    match.estimated_bytes = answer->record.size() + answer->estimated_bytes;
    return {};
  }

  const Inputs& inputs_;
  const PlanOptions& options_;
  std::vector<Match>& matches_;
  std::vector<std::pair<const Shard*, const safetensors::Tensor*>> tensors_;
};

}  // namespace

Result<Plan> plan(const std::vector<std::string>& bases, const std::string& fine_tune,
                  const PlanOptions& options) {
  return guarded([&]() -> Result<Plan> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const Inputs inputs, open_inputs(bases, fine_tune, options.all, options));
    FINEDELTA_CHECK(check_level(options.level));
    FINEDELTA_ASSIGN(std::vector<Match> matches, match_inputs(inputs, options));
    FINEDELTA_CHECK(LowRankPlanner(inputs, options, matches).run());
    FINEDELTA_ASSIGN(const PackPlan pack_plan, make_pack_plan(inputs, matches, options));
    Plan out;
    out.tensors = list_tensors(inputs, matches);
    out.estimated_bytes = index_estimate(pack_plan.index);
    for (const PlannedTensor& tensor : out.tensors) {
      out.weight_bytes += tensor.bytes;
      out.estimated_bytes += tensor.estimated_bytes;
    }
    out.estimated_bytes += side_estimate(pack_plan.index);
    for (const archive::File& file : pack_plan.index.files) out.input_bytes += file.size;
    for (const Checkpoint& base : inputs.bases) out.bases.push_back(base.location);
    return out;
  });
}

}  // namespace finedelta
