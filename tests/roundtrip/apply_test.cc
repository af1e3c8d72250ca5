// A base in memory becomes the fine-tune, or stays what it was.
#include <random>

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using Model = std::vector<TestTensor>;

constexpr size_t kNudged = 600'000;  // where a unit of the first tensor lies that surely is

// That one, but not the next, and about one unit in a hundred are the next
// number up or down; the first of all too.
Model nudged(Model tensors) {
  std::mt19937 engine(7);
  for (TestTensor& tensor : tensors) {
    for (size_t i = 0; i < tensor.bytes.size(); i += dtype_unit(tensor.dtype)) {
      const bool chosen = engine() % 100 == 0 && i != kNudged + 2;
      if (i == 0 || i == kNudged || chosen) {
        tensor.bytes[i] = static_cast<char>(tensor.bytes[i] + (engine() % 2 == 0 ? 1 : -1));
      }
    }
  }
  return tensors;
}

std::vector<TensorInMemory> in_memory(Model& model) {
  std::vector<TensorInMemory> out;
  for (TestTensor& tensor : model) {
    out.push_back({.name = tensor.name,
                   .dtype = std::string(dtype_name(tensor.dtype)),
                   .shape = tensor.shape,
                   .data = std::as_writable_bytes(std::span(tensor.bytes))});
  }
  return out;
}

bool same_bytes(const Model& a, const Model& b) {
  return std::ranges::equal(a, b, {}, &TestTensor::bytes, &TestTensor::bytes);
}

class RoundtripApply : public Roundtrip {
 protected:
  void pack_model(const Model& fine_tune, int level) {
    options_.level = level;
    summary_ = pack_to_archive({write_shard("base.safetensors", base_)},
                               write_shard("tune.safetensors", fine_tune));
  }

  Result<ApplyReport> try_apply(std::span<const TensorInMemory> tensors) {
    apply_options_.threads = 2;
    return apply(archive_, tensors, apply_options_);
  }

  // What is in memory must become `fine_tune`.
  ApplyReport apply_ok(Model model, const Model& fine_tune) {
    const auto report = try_apply(in_memory(model));
    EXPECT_EQ(error_text(report), "no error");
    EXPECT_TRUE(same_bytes(model, fine_tune));
    return report ? *report : ApplyReport{};
  }

  // The error; what is in memory must stay as it is.
  std::string apply_error(const Model& model) {
    Model copy = model;
    const std::string text = error_text(try_apply(in_memory(copy)));
    EXPECT_TRUE(same_bytes(copy, model));
    return text;
  }

  bool has_coder(std::string_view name) const {
    return std::ranges::any_of(summary_.tensors, [&](const TensorSummary& tensor) {
      return std::ranges::any_of(tensor.coders,
                                 [&](const CoderUse& use) { return use.coder == name; });
    });
  }

  const Model base_ = {
      make_tensor("w", DType::kBF16, {700, 1000}, 1), make_tensor("same", DType::kBF16, {300}, 2),
      make_tensor("f", DType::kF32, {40, 50}, 3), make_tensor("scalar", DType::kF32, {}, 4),
      make_tensor("empty", DType::kF16, {0, 4}, 5)};
  ApplyOptions apply_options_;
  ArchiveSummary summary_;
};

TEST_F(RoundtripApply, GivesTheFineTuneWhateverItIsCodedWith) {
  Model few = nudged(base_);
  few[1] = base_[1];
  const Model many = tuned(base_);
  for (const int level : {1, 3}) {
    for (const Model& fine_tune : {few, many, base_}) {
      pack_model(fine_tune, level);
      for (const ApplyCheck check : {ApplyCheck::kFull, ApplyCheck::kTouched}) {
        apply_options_.check = check;
        const ApplyReport report = apply_ok(base_, fine_tune);
        EXPECT_EQ(report.tensors, 5u);
        EXPECT_EQ(report.bytes, summary_.weight_bytes);
      }
    }
  }
}

TEST_F(RoundtripApply, ReadsNoMoreThanItMust) {
  Model fine_tune = nudged(base_);
  fine_tune[1] = base_[1];
  pack_model(fine_tune, 1);
  ASSERT_TRUE(has_coder("sparse"));
  EXPECT_EQ(apply_ok(base_, fine_tune).changed_tensors, 3u);
  // "same" is read once, the scalar three times.
  EXPECT_EQ(apply_ok(base_, fine_tune).bytes_read, 2 * summary_.weight_bytes - 600 + 4);
  apply_options_.check = ApplyCheck::kTouched;
  // The scalar and what is nudged.
  EXPECT_LT(apply_ok(base_, fine_tune).bytes_read, summary_.weight_bytes / 90);
}

TEST_F(RoundtripApply, AnotherBaseIsNoticedBeforeAnythingChanges) {
  const Model fine_tune = nudged(base_);
  const std::string error =
      "wrong base: wrong base: tensor 'w' in memory differs from the one that the archive was made "
      "from";
  for (const int level : {1, 3}) {
    pack_model(fine_tune, level);
    for (const ApplyCheck check : {ApplyCheck::kFull, ApplyCheck::kTouched}) {
      apply_options_.check = check;
      Model other = base_;
      other[0].bytes[kNudged] ^= 1;  // a unit that is to change
      EXPECT_EQ(apply_error(other), error);
    }
    apply_options_.check = ApplyCheck::kFull;
    Model other = base_;
    other[0].bytes[kNudged + 2] ^= 1;
    EXPECT_EQ(apply_error(other), error);
  }
}

// That is what is meant by it.
TEST_F(RoundtripApply, TouchedDoesNotLookAtTheRest) {
  Model fine_tune = nudged(base_);
  pack_model(fine_tune, 1);
  apply_options_.check = ApplyCheck::kTouched;
  Model other = base_;
  other[0].bytes[kNudged + 2] ^= 1;
  fine_tune[0].bytes[kNudged + 2] ^= 1;
  (void)apply_ok(other, fine_tune);
}

TEST_F(RoundtripApply, WhatIsAlreadyTheFineTuneIsAWrongBase) {
  const Model fine_tune = nudged(base_);
  pack_model(fine_tune, 1);
  for (const ApplyCheck check : {ApplyCheck::kFull, ApplyCheck::kTouched}) {
    apply_options_.check = check;
    EXPECT_THAT(apply_error(fine_tune), testing::StartsWith("wrong base: "));
  }
}

TEST_F(RoundtripApply, ADamagedArchiveChangesNothing) {
  for (const int level : {1, 3}) {
    pack_model(nudged(base_), level);
    const std::string sound = read_file(archive_);
    for (size_t at = 512; at < 512 + summary_.payload_bytes;
         at += 1 + summary_.payload_bytes / 50) {
      std::string damaged = sound;
      damaged[at] ^= 16;
      dir_.write(std::filesystem::path(archive_).filename().string(), damaged);
      EXPECT_THAT(apply_error(base_), testing::StartsWith("damaged: ")) << at;
    }
  }
}

TEST_F(RoundtripApply, TheTensorsMustBeThoseOfTheArchive) {
  pack_model(nudged(base_), 1);
  Model fewer(base_.begin() + 1, base_.end());
  EXPECT_EQ(apply_error(fewer), "usage: tensor 'w' of the archive is not in memory");
  Model more = base_;
  more.push_back(make_tensor("more", DType::kF32, {2}, 6));
  EXPECT_EQ(apply_error(more), "usage: tensor 'more' is in memory, but not in the archive");
  Model twice = base_;
  twice.push_back(base_[0]);
  EXPECT_EQ(apply_error(twice), "usage: two tensors are called 'w'");
  const std::string kind =
      "usage: tensor 'w' has another type or shape in memory than in the archive";
  Model reshaped = base_;
  reshaped[0].shape = {1000, 700};
  EXPECT_EQ(apply_error(reshaped), kind);
  Model cast = base_;
  cast[0].dtype = DType::kF16;
  EXPECT_EQ(apply_error(cast), kind);
  Model cut = base_;
  cut[0].bytes.resize(1000);
  EXPECT_EQ(apply_error(cut), kind);
}

TEST_F(RoundtripApply, TensorsMustNotShareMemory) {
  Model base = {make_tensor("a", DType::kBF16, {100}, 1), make_tensor("b", DType::kBF16, {100}, 2)};
  (void)pack_to_archive({write_shard("base.safetensors", base)},
                        write_shard("tune.safetensors", nudged(base)));
  auto tensors = in_memory(base);
  tensors[1].data = tensors[0].data;
  EXPECT_EQ(error_text(try_apply(tensors)), "usage: tensors 'a' and 'b' share memory");
  std::string room(399, ' ');
  tensors[0].data = std::as_writable_bytes(std::span(room)).subspan(199);
  tensors[1].data = std::as_writable_bytes(std::span(room)).first(200);
  EXPECT_EQ(error_text(try_apply(tensors)), "usage: tensors 'b' and 'a' share memory");
}

TEST_F(RoundtripApply, WhatIsStoredAgainstAnotherTensorIsRefused) {
  Model longer = base_;
  longer[0] = make_tensor("w", DType::kBF16, {701, 1000}, 1);
  pack_model(longer, 3);
  EXPECT_THAT(apply_error(longer),
              testing::StartsWith("usage: tensor 'w' is stored against 'w' of the base, or one of "
                                  "another type or shape: it can't be changed in place"));
}

TEST_F(RoundtripApply, NewTensorsNeedNoBase) {
  Model fine_tune = nudged(base_);
  fine_tune[2] = make_tensor("f", DType::kF32, {40, 50}, 77);
  pack_model(fine_tune, 3);
  (void)apply_ok(base_, fine_tune);
}

TEST_F(RoundtripApply, CanBeCancelledWhileNothingIsChanged) {
  pack_model(nudged(base_), 1);
  Cancellation cancellation;
  cancellation.cancel();
  apply_options_.cancel = &cancellation;
  EXPECT_EQ(apply_error(base_), "cancelled: interrupted");
}

TEST_F(RoundtripApply, LayersOfAProgressiveArchive) {
  Model base = {make_tensor("w", DType::kBF16, {300, 200}, 1)};
  Model fine_tune = tuned(base);
  for (size_t i = 0; i < fine_tune[0].bytes.size(); i += 2) ++fine_tune[0].bytes[i];
  options_.lossy = LossyTarget{.kind = LossyTarget::Kind::kBits, .value = 0.5};
  options_.progressive = true;
  (void)pack_to_archive({write_shard("base.safetensors", base)},
                        write_shard("tune.safetensors", fine_tune));
  EXPECT_FALSE(apply_ok(base, fine_tune).lossy);
  apply_options_.layers = 1;
  Model near = base;
  const auto report = try_apply(in_memory(near));
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_TRUE(report->lossy);
  EXPECT_FALSE(same_bytes(near, fine_tune));
  apply_options_.layers = 3;
  EXPECT_THAT(apply_error(base), testing::HasSubstr("has 2 layers, not 3"));
}

TEST_F(RoundtripApply, SaysWhenTheArchiveDoesNotFitTheMemoryLimit) {
  Model large = {make_tensor("w", DType::kU8, {40'000, 1000}, 1)};
  (void)pack_to_archive({}, write_shard("tune.safetensors", large));
  apply_options_.memory = kLeastMemory;
  EXPECT_THAT(apply_error(large), testing::HasSubstr("too many to be kept in memory; raise"));
}

}  // namespace
}  // namespace finedelta
