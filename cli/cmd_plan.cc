#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "finedelta/plan.h"
#include "json.h"
#include "models.h"
#include "render/table.h"
#include "render/tensor_text.h"
#include "render/text.h"
#include "render/units.h"
#include "session.h"
#include "verb.h"

namespace finedelta::cli {
namespace {

constexpr std::array kOptions{kNoBaseOption, kAllOption,  kLevelOption, kThreadsOption,
                              kMemoryOption, kJsonOption, kQuietOption};

Json tensor_json(const PlannedTensor& tensor) {
  Json object{{"name", tensor.name},   {"shard", tensor.shard}, {"dtype", tensor.dtype},
              {"shape", tensor.shape}, {"bytes", tensor.bytes}, {"match", tensor.match}};
  add_bases(object, bases_of(tensor));
  object["predictor"] = tensor.predictor;
  object["estimated_bytes"] = tensor.estimated_bytes;
  return object;
}

std::string json(const Plan& plan, const Session& session) {
  Json object{{"input_bytes", plan.input_bytes},
              {"weight_bytes", plan.weight_bytes},
              {"estimated_bytes", plan.estimated_bytes},
              {"estimated_ratio", ratio_json(plan.input_bytes, plan.estimated_bytes)},
              {"bases", plan.bases},
              {"tensors", Json::array()}};
  for (const PlannedTensor& tensor : plan.tensors) object["tensors"].push_back(tensor_json(tensor));
  return dump(std::move(object), session);
}

std::string text(const Plan& plan) {
  std::string result;
  for (size_t base = 0; base < plan.bases.size(); ++base) {
    result +=
        fmt::format("{:<10} {}\n", base_label(base, plan.bases.size()), escaped(plan.bases[base]));
  }
  result += fmt::format("input      {}, of which {} weights\n", size_text(plan.input_bytes),
                        size_text(plan.weight_bytes));
  result += fmt::format("estimated  {} ({})\n\n", size_text(plan.estimated_bytes),
                        ratio_text(plan.input_bytes, plan.estimated_bytes));
  Table table({{"TENSOR"},
               {"DTYPE"},
               {"SHAPE"},
               {"MATCH"},
               {"PREDICTOR"},
               {"SIZE", Align::kRight},
               {"ESTIMATED", Align::kRight}});
  for (const PlannedTensor& tensor : plan.tensors) {
    table.add({tensor.name, tensor.dtype, shape_text(tensor.shape),
               match_text(tensor.match, bases_of(tensor), tensor.name, plan.bases.size()),
               tensor.predictor, size_text(tensor.bytes), size_text(tensor.estimated_bytes)});
  }
  return result + table.text();
}

Result<Report> run(const Arguments& arguments, Session& session) {
  const Result<Models> models = read_models(kPlan, arguments);
  if (!models.has_value()) return std::unexpected(models.error());
  PlanOptions options;
  options.all = arguments.all;
  options.level = arguments.level;
  session.begin("planning", in_quotes(models->fine_tune), options);
  const Result<Plan> result = plan(models->bases, models->fine_tune, options);
  if (!result.has_value()) return std::unexpected(result.error());
  return Report{json(*result, session), text(*result),
                fmt::format("planned {}; sizes are estimates from samples, and nothing was written",
                            count_text(result->tensors.size(), "tensor"))};
}

}  // namespace

constinit const Verb kPlan{
    .name = "plan",
    .usage = "BASE... FINE_TUNE",
    .summary = "show what 'pack' would do, and estimate the size",
    .description =
        "Pairs the tensors of FINE_TUNE with those of the bases and estimates the\n"
        "archive's size from samples. Writes nothing.\n",
    .examples =
        "  finedelta plan meta-llama/Llama-3.1-8B ./my-tune\n"
        "  finedelta plan --json base.safetensors tune.safetensors\n",
    .options = kOptions,
    .run = run,
};

}  // namespace finedelta::cli
