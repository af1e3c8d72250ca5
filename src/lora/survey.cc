#include "lora/survey.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/error.h"
#include "base/threads.h"
#include "engine/resources.h"
#include "kernels/cast.h"
#include "lora/pairing.h"

namespace finedelta::peft {

namespace {

constexpr uint64_t kComparedBytes = uint64_t{1} << 20;

constexpr std::string_view kWeight = "weight";
constexpr std::string_view kBias = "bias";

bool is_comparable(const TensorPair& pair) {
  return pair.base != nullptr && pair.base->shape == pair.tensor->shape &&
         (pair.base->dtype == pair.tensor->dtype || can_cast(pair.base->dtype, pair.tensor->dtype));
}

// Whether its module may have an adapter.
bool is_matrix(const TensorPair& pair) {
  return is_comparable(pair) && !pair.is_repeated && !pair.module.empty() && pair.leaf == kWeight &&
         pair.tensor->shape.size() == 2 && is_castable(pair.tensor->dtype) && pair.bytes() > 0;
}

// Byte by byte, the base's values as numbers of the tensor's type.
Result<bool> is_equal(const TensorPair& pair) {
  if (!is_comparable(pair)) return false;
  const TensorSource tensor = tensor_source(*pair.shard, *pair.tensor);
  const TensorSource base = tensor_source(*pair.base_shard, *pair.base);
  const Formula plain{.predictor = Predictor::kBase};
  PredictionReader reader;
  std::vector<std::byte> one(std::min(kComparedBytes, tensor.size));
  std::vector<std::byte> other(one.size());
  for (uint64_t at = 0; at < tensor.size; at += kComparedBytes) {
    const uint64_t size = std::min(kComparedBytes, tensor.size - at);
    const auto ours = std::span(one).first(size);
    const auto theirs = std::span(other).first(size);
    FINEDELTA_CHECK(tensor.read(at, ours));
    const uint64_t unit = at / dtype_unit(tensor.dtype);
    FINEDELTA_CHECK(reader.predict(plain, {&base, 1}, tensor.dtype, unit, theirs));
    if (std::memcmp(ours.data(), theirs.data(), size) != 0) return false;
  }
  return true;
}

std::string reversed(std::string_view text) { return {text.rbegin(), text.rend()}; }

// The tensors of one module.
struct Module {
  std::vector<const TensorPair*> tensors;
  const TensorPair* matrix = nullptr;  // one of them
  bool has_submodules = false;
};

class Surveyor {
 public:
  Surveyor(const Inputs& inputs, const ModelFacts& facts, const Options& options)
      : facts_(facts), options_(options), pairs_(pair_tensors(inputs)) {
    for (const Shard& shard : inputs.bases[0].shards) {
      for (const auto& tensor : shard.header.tensors) base_names_.insert(tensor.name);
    }
  }

  Result<Survey> run() {
    group();
    is_tied_ = ties_output(facts_, std::ranges::any_of(modules_, [](const auto& module) {
                             return is_output_layer(module.first);
                           }));
    FINEDELTA_CHECK(compare());
    for (const auto& [name, module] : modules_) {
      if (module.matrix != nullptr) {
        take_target(name, module);
      } else {
        take_other(name, module);
      }
    }
    for (const TensorPair& pair : pairs_) {
      if (pair.is_repeated && differs(&pair)) leave_out(&pair, std::string(kRepeated));
    }
    FINEDELTA_CHECK(check_names(survey_.adapter));
    return std::move(survey_);
  }

 private:
  void group() {
    for (const TensorPair& pair : pairs_) {
      if (pair.is_repeated) continue;
      Module& module = modules_[pair.module];
      module.tensors.push_back(&pair);
      if (is_matrix(pair)) module.matrix = &pair;
    }
    for (const auto& [name, module] : modules_) {
      endings_.insert(reversed(name));
      for (size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0;
           dot = name.rfind('.', dot - 1)) {
        const auto outer = modules_.find(name.substr(0, dot));
        if (outer != modules_.end()) outer->second.has_submodules = true;
      }
    }
  }

  Status compare() {
    std::vector<uint8_t> differs(pairs_.size());
    const unsigned threads = affordable_workers(options_, 4 * kComparedBytes, 0);
    FINEDELTA_CHECK(
        parallel_for(pairs_.size(), threads, options_.cancel, [&](uint64_t i, unsigned) -> Status {
          if (is_matrix(pairs_[i])) return {};
          FINEDELTA_ASSIGN(const bool equal, is_equal(pairs_[i]));
          differs[i] = equal ? 0 : 1;
          return {};
        }));
    for (size_t i = 0; i < pairs_.size(); ++i) {
      if (differs[i] != 0) differing_.insert(&pairs_[i]);
    }
    return {};
  }

  [[nodiscard]] bool differs(const TensorPair* pair) const { return differing_.contains(pair); }

  void leave_out(const TensorPair* pair, std::string reason) {
    survey_.left_out.push_back({*pair, std::move(reason)});
  }

  // A module whose weight may have factors. Nothing else of it can be held but its bias.
  void take_target(const std::string& name, const Module& module) {
    const TensorPair& matrix = *module.matrix;
    // It is the input embedding once more, whatever is stored for it.
    if (is_tied_ && is_output_layer(name)) return;
    const std::vector<uint64_t>& shape = matrix.tensor->shape;
    survey_.adapter.modules.push_back({.name = name,
                                       .kind = kind_of(name, facts_),
                                       .dtype = matrix.tensor->dtype,
                                       .rows = shape[0],
                                       .columns = shape[1],
                                       .tied = take_tied(name)});
    survey_.matrices.push_back(matrix);
    survey_.least.push_back(0);
    for (const TensorPair* pair : module.tensors) {
      if (!differs(pair)) continue;
      if (pair->leaf != kBias || !is_comparable(*pair)) {
        leave_out(pair, "PEFT keeps no such tensor of a module that has an adapter");
        continue;
      }
      survey_.least.back() = 1;
      survey_.adapter.has_biases = true;
      add_whole(*pair, name_of_bias(name), "a bias");
    }
  }

  // A module that is stored with all its tensors or not at all.
  void take_other(const std::string& name, const Module& module) {
    if (is_tied_ && is_output_layer(name)) return;
    if (std::ranges::none_of(module.tensors, [&](auto* pair) { return differs(pair); })) return;
    if (const std::string why = why_not_whole(name, module); !why.empty()) {
      for (const TensorPair* pair : module.tensors) {
        if (differs(pair)) leave_out(pair, why);
      }
      return;
    }
    save(name, module);
    // PEFT gives the embedding a copy of its own, so the output layer needs one too.
    if (const std::string tied = take_tied(name); !tied.empty()) save(tied, module);
  }

  // The output layer that is tied to this module, for the first one that it may be tied to.
  std::string take_tied(const std::string& name) {
    std::string tied = tied_to(name, is_tied_ && !has_tied_);
    has_tied_ |= !tied.empty();
    return tied;
  }

  void save(const std::string& name, const Module& module) {
    survey_.adapter.saved_modules.push_back(name);
    for (const TensorPair* pair : module.tensors) {
      const bool resized = pair->base->shape != pair->tensor->shape;
      add_whole(*pair, name_of_saved(name, pair->leaf),
                std::string(resized ? kResized : "not a matrix that a layer multiplies by"));
    }
  }

  void add_whole(const TensorPair& pair, std::string name, std::string reason) {
    survey_.adapter.whole.push_back(
        {.name = std::move(name), .dtype = pair.tensor->dtype, .shape = pair.tensor->shape});
    survey_.whole.push_back({pair, std::move(reason)});
  }

  [[nodiscard]] std::string why_not_whole(const std::string& name, const Module& module) const {
    const bool is_new =
        std::ranges::any_of(module.tensors, [](auto* pair) { return pair->base == nullptr; });
    if (is_new) return "the base has no such tensor";
    if (name.empty() || module.has_submodules) {
      return "PEFT stores whole modules only, and this one has others in it";
    }
    if (base_tensors(name) != module.tensors.size()) {
      return "the fine-tune lacks tensors that the base's module has";
    }
    // PEFT takes every module whose name ends like this.
    const std::string end = reversed(name);
    const auto other = endings_.upper_bound(end);
    if (other == endings_.end() || !other->starts_with(end)) return {};
    return fmt::format("PEFT would take {} for it too", quote(reversed(*other)));
  }

  // How many tensors of a module the base has.
  [[nodiscard]] size_t base_tensors(const std::string& module) const {
    std::string prefix = modules_.at(module).tensors[0]->base->name;
    prefix.resize(prefix.rfind('.') + 1);
    const auto first = base_names_.lower_bound(prefix);
    prefix.back() = '.' + 1;
    return static_cast<size_t>(std::distance(first, base_names_.lower_bound(prefix)));
  }

  const ModelFacts& facts_;
  const Options& options_;
  std::vector<TensorPair> pairs_;
  std::set<std::string_view> base_names_;
  std::map<std::string, Module> modules_;
  bool is_tied_ = false;
  bool has_tied_ = false;
  std::set<std::string> endings_;          // their names, reversed
  std::set<const TensorPair*> differing_;  // of those that are no matrices
  Survey survey_;
};

}  // namespace

MatrixReader TensorPair::reader() const {
  const std::vector<uint64_t>& shape = tensor->shape;
  const MatrixShape flat =
      shape.empty() ? MatrixShape{.rows = 1, .columns = 1} : matrix_shape(shape);
  return {tensor_source(*shard, *tensor), tensor_source(*base_shard, *base), flat};
}

Result<Survey> survey(const Inputs& inputs, const ModelFacts& facts, const Options& options) {
  return Surveyor(inputs, facts, options).run();
}

}  // namespace finedelta::peft
