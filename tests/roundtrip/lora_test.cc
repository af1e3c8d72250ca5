// Adapters made by the library: the same by any number of threads, whole or not at all, and what
// can't be held is said.

#include "finedelta/lora.h"

#include <cmath>

#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

class RoundtripLora : public Roundtrip {
 protected:
  RoundtripLora() {
    lora_.threads = 2;
    lora_.note = [this](std::string_view note) { notes_.emplace_back(note); };
  }

  // A model of these tensors; its directory.
  std::string model(const std::string& name, const std::vector<TestTensor>& tensors) {
    (void)write_shard(name + "/model.safetensors", tensors);
    dir_.write(name + "/config.json", R"({"architectures": ["TinyForCausalLM"]})");
    return dir_.path(name);
  }

  TestTensor named(const std::string& name, const std::vector<uint64_t>& shape, uint64_t seed) {
    return make_tensor(name, DType::kBF16, shape, seed);
  }

  Result<LoraReport> make() {
    lora_.force = true;
    return lora(base_, tune_, output_, lora_);
  }

  std::string file(const std::string& name) { return read_file(output_ + '/' + name); }

  const TestTensor q_ = make_tensor("model.q.weight", DType::kBF16, {96, 64}, 1);
  const TestTensor k_ = make_tensor("model.k.weight", DType::kBF16, {48, 64}, 2);
  const TestTensor norm_ = make_tensor("model.norm.weight", DType::kBF16, {64}, 3);
  const TestTensor head_ = make_tensor("lm_head.weight", DType::kBF16, {80, 64}, 4);
  const std::string base_ = model("base", {q_, k_, norm_, head_});
  // An adapter in one matrix, training in another, a norm.
  const std::string tune_ =
      model("tune", {with_adapter(q_, 4, DType::kBF16), tuned(k_), tuned(norm_), head_});
  const std::string output_ = dir_.path("adapter");
  LoraOptions lora_;
};

std::vector<std::string> stored(const LoraReport& report) {
  std::vector<std::string> out;
  for (const LoraTensor& tensor : report.tensors) {
    out.push_back(tensor.name + ": " + tensor.stored + " " + std::to_string(tensor.rank));
  }
  return out;
}

TEST_F(RoundtripLora, TheSameByAnyNumberOfThreads) {
  for (int budget = 0; budget < 3; ++budget) {
    lora_.size = budget == 0 ? std::optional<uint64_t>(6000) : std::nullopt;
    lora_.energy = budget == 1 ? std::optional(0.97) : std::nullopt;
    lora_.max_rank = budget == 2 ? std::optional<uint64_t>(7) : std::nullopt;
    Tree first;
    for (const unsigned threads : {1u, 2u, 5u}) {
      lora_.threads = threads;
      ASSERT_EQ(error_text(make()), "no error");
      if (threads == 1) first = read_tree(output_);
      EXPECT_EQ(difference(first, read_tree(output_)), "") << "budget " << budget;
    }
  }
}

TEST_F(RoundtripLora, TheReport) {
  lora_.max_rank = 7;
  const auto report = make();
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_THAT(stored(*report), ElementsAre("model.q.weight: factors 4", "model.k.weight: factors 7",
                                           "model.norm.weight: whole 0"));
  EXPECT_EQ(report->modules, 2);
  EXPECT_EQ(report->saved_modules, 1);
  EXPECT_EQ(report->largest_rank, 7);
  EXPECT_EQ(report->adapter_bytes,
            std::filesystem::file_size(output_ + "/adapter_model.safetensors"));
  EXPECT_LT(*report->tensors[0].relative_error, 0.05);
  EXPECT_GT(*report->tensors[1].relative_error, 0.5);
  EXPECT_FALSE(report->tensors[2].relative_error.has_value());
  EXPECT_GT(*report->tensors[2].relative_change, 0);
}

TEST_F(RoundtripLora, WhatIsNotOfLowRankIsSaid) {
  const std::string full = model("full", {q_, tuned(k_), norm_, head_});
  lora_.max_rank = 3;
  const auto report = lora(base_, full, output_, lora_);
  ASSERT_EQ(error_text(report), "no error");
  ASSERT_EQ(notes_.size(), 1);
  EXPECT_THAT(notes_[0],
              testing::MatchesRegex(
                  "what the fine-tune gained is not of low rank: the adapter keeps "
                  "[0-9.]+ % of its squared norm, least of 'model.k.weight' .[0-9.]+ %."));
}

TEST_F(RoundtripLora, WhatNoAdapterCanHoldIsSaid) {
  const TestTensor scale = named("scale", {8}, 5);
  const TestTensor outer = named("model.scale", {8}, 6);
  const TestTensor extra = named("model.q.extra", {8}, 7);
  const std::string base = model("b", {q_, scale, outer, extra});
  const std::string tune = model("t", {with_adapter(q_, 4, DType::kBF16), tuned(scale),
                                       tuned(outer), tuned(extra), named("new.weight", {4}, 8)});
  const auto report = lora(base, tune, output_, lora_);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->left_out, 4);
  EXPECT_THAT(stored(*report), ElementsAre("model.q.weight: factors 4", "scale: left out 0",
                                           "model.scale: left out 0", "model.q.extra: left out 0",
                                           "new.weight: left out 0"));
  ASSERT_EQ(notes_.size(), 1);
  EXPECT_TRUE(notes_[0].starts_with("left out: 'scale', changed by ")) << notes_[0];
  EXPECT_TRUE(notes_[0].ends_with("; and 1 more")) << notes_[0];
}

TEST_F(RoundtripLora, AModuleWhoseNameEndsAnothersIsNotStoredWhole) {
  const std::string base = model("b", {q_, named("norm.weight", {64}, 5), norm_});
  const std::string tune =
      model("t", {with_adapter(q_, 4, DType::kBF16), tuned(named("norm.weight", {64}, 5)), norm_});
  const auto report = lora(base, tune, output_, lora_);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->tensors[1].reason, "PEFT would take 'model.norm' for it too");
  EXPECT_FALSE(file("adapter_model.safetensors").contains("norm.weight"));
}

TEST_F(RoundtripLora, ANameInTwoShardsIsTakenOnce) {
  (void)write_shard("tune/other.safetensors", {tuned(q_), norm_});
  const auto report = make();
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->modules, 2);
  EXPECT_EQ(report->left_out, 1);
  EXPECT_EQ(report->tensors[3].name, "model.q.weight");
  EXPECT_EQ(report->tensors[3].reason, "another shard has a tensor of that name");
  (void)pack_to_archive({base_}, tune_);
  EXPECT_EQ(error_text(lora_from_archive(archive_, dir_.path("other"))), "no error");
}

TEST_F(RoundtripLora, NamesOfTheAdapterThatClashAreRefused) {
  const TestTensor odd = named("model.q.lora_A.weight", {64}, 5);
  const std::string base = model("b", {q_, odd});
  const std::string tune = model("t", {with_adapter(q_, 4, DType::kBF16), tuned(odd)});
  EXPECT_EQ(error_text(lora(base, tune, output_, lora_)),
            "damaged: an adapter of these models would have two tensors called "
            "'base_model.model.model.q.lora_A.weight'");
}

TEST_F(RoundtripLora, BudgetsThatMakeNoSense) {
  lora_.size = 1000;
  lora_.energy = 0.5;
  EXPECT_EQ(error_text(make()),
            "usage: --size, --energy and --max-rank: only one of them is possible");
  lora_.size.reset();
  for (const double energy : {0.0, 1.0, -1.0, std::nan("")}) {
    lora_.energy = energy;
    EXPECT_TRUE(error_text(make()).ends_with("is not above 0 and below 1")) << energy;
  }
  lora_.energy.reset();
  lora_.max_rank = 0;
  EXPECT_EQ(error_text(make()), "usage: --max-rank 0: the least rank is 1");
  EXPECT_THAT(names(), ElementsAre("base", "tune"));
}

TEST_F(RoundtripLora, ASizeThatIsTooSmallNamesTheSmallest) {
  const std::string tune = model("t", {with_adapter(q_, 4, DType::kBF16), k_, norm_, head_});
  lora_.size = 100;
  const std::string error = error_text(lora(base_, tune, output_, lora_));
  const std::string start = "usage: --size 100 is too small: the smallest adapter has ";
  ASSERT_TRUE(error.starts_with(start)) << error;
  const uint64_t least = std::stoull(error.substr(start.size()));
  lora_.size = least - 1;
  EXPECT_TRUE(error_text(lora(base_, tune, output_, lora_)).contains(std::to_string(least)));
  lora_.size = least;
  const auto report = lora(base_, tune, output_, lora_);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->adapter_bytes, least);
}

TEST_F(RoundtripLora, NothingToStore) {
  EXPECT_EQ(error_text(lora(base_, base_, output_, lora_)),
            "usage: there is nothing to make an adapter of: the fine-tune's tensors equal the "
            "base's");
  const std::string other = model("t", {named("other.weight", {8, 8}, 1)});
  EXPECT_EQ(error_text(lora(base_, other, output_, lora_)),
            "usage: there is nothing to make an adapter of: none of what differs can be in an "
            "adapter");
  EXPECT_FALSE(std::filesystem::exists(output_));
}

TEST_F(RoundtripLora, OutputsAppearWholeOrNotAtAll) {
  dir_.write("adapter/older.txt", "older");
  EXPECT_EQ(error_text(lora(base_, tune_, output_, lora_)),
            "usage: '" + output_ + "' exists already; use --force to replace it");
  const std::string inside = base_ + "/adapter";
  EXPECT_EQ(error_text(lora(base_, tune_, inside, lora_)),
            "usage: the output '" + inside + "' lies inside the input '" + base_ + "'");
  Cancellation cancel;
  lora_.cancel = &cancel;
  lora_.progress = [&](const Progress&) { cancel.cancel(); };
  const auto cancelled = make();
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(names(), ElementsAre("adapter", "base", "tune"));
  EXPECT_EQ(read_file(output_ + "/older.txt"), "older");
  lora_.cancel = nullptr;
  EXPECT_EQ(error_text(make()), "no error");
  EXPECT_THAT(names(), ElementsAre("adapter", "base", "tune"));
  EXPECT_EQ(read_tree(output_).size(), 2);
}

TEST_F(RoundtripLora, AResidualGivesTheFineTune) {
  lora_.plus_residual = true;
  const auto report = make();
  ASSERT_EQ(error_text(report), "no error");
  archive_ = output_ + "/residual.fd";
  EXPECT_EQ(report->residual_bytes, std::filesystem::file_size(archive_));
  const auto summary = inspect(archive_);
  ASSERT_EQ(error_text(summary), "no error");
  EXPECT_EQ(predictors(*summary)[0], "low rank");
  expect_unpacks({base_}, tune_);
}

TEST_F(RoundtripLora, FromAnArchive) {
  options_.level = 9;
  (void)pack_to_archive({base_}, tune_);
  const auto report = lora_from_archive(archive_, output_);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_THAT(stored(*report), ElementsAre("model.q.weight: factors 4"));
  EXPECT_FALSE(report->energy_kept.has_value());
  EXPECT_TRUE(file("adapter_config.json").contains("\"task_type\": \"CAUSAL_LM\""));
  const std::string plain = write_shard("plain.safetensors", {tuned(q_)});
  (void)pack_to_archive({base_}, plain);
  EXPECT_EQ(error_text(lora_from_archive(archive_, dir_.path("none"))),
            "usage: '" + archive_ +
                "' holds no factors of low rank that an adapter can have; make one of the base and "
                "the fine-tune");
  EXPECT_FALSE(std::filesystem::exists(dir_.path("none")));
}

}  // namespace
}  // namespace finedelta
