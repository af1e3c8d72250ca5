// Outputs: nothing of them is left by a cancelled operation, and nothing is overwritten unasked.

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

class RoundtripOutput : public Roundtrip {
 protected:
  RoundtripOutput() {
    (void)write_shard("base/model.safetensors", tensors_);
    (void)write_shard("tuned/model.safetensors", tuned(tensors_));
    dir_.write("tuned/tokenizer.json", noise(3'000'000, 1));
    names_ = names();
  }

  // Cancels when the progress has come to `percent`.
  void cancel_at(Options& options, uint64_t percent) {
    options.threads = 2;
    options.cancel = &cancel_;
    options.progress = [this, percent](const Progress& progress) {
      if (progress.done * 100 >= progress.total * percent) cancel_.cancel();
    };
    if (percent == 0) cancel_.cancel();
  }

  const std::vector<TestTensor> tensors_ = {make_tensor("w", DType::kBF16, {40000, 64}, 1)};
  const std::string base_ = dir_.path("base");
  const std::string fine_tune_ = dir_.path("tuned");
  std::vector<std::string> names_;
  Cancellation cancel_;
};

class RoundtripCancel : public RoundtripOutput, public testing::WithParamInterface<uint64_t> {};

TEST_P(RoundtripCancel, PackLeavesNothing) {
  cancel_at(options_, GetParam());
  const auto report = try_pack({base_}, fine_tune_);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(names(), names_);
}

TEST_P(RoundtripCancel, UnpackLeavesNothing) {
  (void)pack_to_archive({base_}, fine_tune_);
  names_ = names();
  UnpackOptions options;
  cancel_at(options, GetParam());
  const auto report = unpack({base_}, archive_, dir_.path("out"), options);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(names(), names_);
  ASSERT_EQ(error_text(unpack({base_}, archive_, dir_.path("out"))), "no error");
  expect_equal(fine_tune_, dir_.path("out"));
}

TEST_P(RoundtripCancel, VerifyAndExtractStop) {
  (void)pack_to_archive({base_}, fine_tune_);
  names_ = names();
  ExtractOptions options;
  cancel_at(options, GetParam());
  const auto verified = verify(archive_, {base_}, options);
  ASSERT_FALSE(verified.has_value());
  EXPECT_EQ(verified.error().code, ErrorCode::kCancelled);
  const auto extracted = extract({base_}, archive_, {"w"}, dir_.path("w.safetensors"), options);
  ASSERT_FALSE(extracted.has_value());
  EXPECT_EQ(extracted.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(names(), names_);
}

INSTANTIATE_TEST_SUITE_P(AtPercent, RoundtripCancel, testing::Values(0, 1, 40, 70));

TEST_F(RoundtripOutput, ACancelledPackKeepsTheOlderArchive) {
  (void)pack_to_archive({base_}, fine_tune_);
  const std::string before = read_file(archive_);
  cancel_at(options_, 50);
  EXPECT_FALSE(try_pack({base_}, fine_tune_).has_value());
  EXPECT_TRUE(read_file(archive_) == before);
}

TEST_F(RoundtripOutput, ExistingOutputsAreReplacedOnlyWhenForced) {
  dir_.write("archive.finedelta", "older");
  EXPECT_EQ(error_text(pack({base_}, fine_tune_, archive_)),
            "usage: '" + archive_ + "' exists already; use --force to replace it");
  EXPECT_EQ(read_file(archive_), "older");
  (void)pack_to_archive({base_}, fine_tune_);

  const std::string output = dir_.path("out");
  dir_.write("out/older.txt", "older");
  EXPECT_EQ(error_text(unpack({base_}, archive_, output)),
            "usage: '" + output + "' exists already; use --force to replace it");
  EXPECT_EQ(read_file(output + "/older.txt"), "older");
  UnpackOptions options;
  options.force = true;
  EXPECT_EQ(error_text(unpack({base_}, archive_, output, options)), "no error");
  expect_equal(fine_tune_, output);
}

TEST_F(RoundtripOutput, AFailedUnpackKeepsTheOlderOutput) {
  (void)pack_to_archive({base_}, fine_tune_);
  dir_.write("out/older.txt", "older");
  UnpackOptions options;
  options.force = true;
  const std::string other = write_shard("o.safetensors", {make_tensor("w", DType::kU8, {9}, 1)});
  EXPECT_FALSE(unpack({other}, archive_, dir_.path("out"), options).has_value());
  EXPECT_EQ(read_file(dir_.path("out/older.txt")), "older");
}

TEST_F(RoundtripOutput, AnOutputInsideAnInputIsRefused) {
  const auto refusal = [](const std::string& output, const std::string& input) {
    return "usage: the output '" + output + "' lies inside the input '" + input + "'";
  };
  for (const std::string& input : {base_, fine_tune_}) {
    const std::string output = input + "/archive.finedelta";
    EXPECT_EQ(error_text(pack({base_}, fine_tune_, output)), refusal(output, input));
    EXPECT_FALSE(std::filesystem::exists(output));
  }
  (void)pack_to_archive({base_}, fine_tune_);
  const std::string output = base_ + "/out";
  EXPECT_EQ(error_text(unpack({base_}, archive_, output)), refusal(output, base_));
  UnpackOptions options;
  options.force = true;
  EXPECT_EQ(error_text(unpack({base_}, archive_, base_, options)), refusal(base_, base_));
  EXPECT_EQ(error_text(unpack({base_}, archive_, archive_, options)), refusal(archive_, archive_));
  EXPECT_EQ(error_text(unpack({base_}, archive_, dir_.path(), options)),
            "usage: the output '" + dir_.path() + "' contains the input '" + base_ + "'");
  EXPECT_THAT(read_tree(base_), ElementsAre(testing::Key("model.safetensors")));
}

TEST_F(RoundtripOutput, WeightsOnlyLeavesOutAllButShards) {
  dir_.make_directory("tuned/empty");
  dir_.write("tuned/sub/config.json", "{}");
  (void)pack_to_archive({base_}, fine_tune_);
  UnpackOptions options;
  options.weights_only = true;
  const auto report = unpack({base_}, archive_, dir_.path("out"), options);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->files, 1u);
  EXPECT_THAT(report->bases, ElementsAre(base_));
  EXPECT_THAT(read_tree(dir_.path("out")), ElementsAre(testing::Key("model.safetensors")));
}

TEST_F(RoundtripOutput, ProgressEndsAtTheTotal) {
  uint64_t total = 0;
  for (const auto& [path, node] : read_tree(fine_tune_)) total += node.content.size();
  Progress last;
  options_.progress = [&](const Progress& progress) {
    EXPECT_GE(progress.done, last.done);
    last = progress;
  };
  const auto report = try_pack({base_}, fine_tune_);
  ASSERT_EQ(error_text(report), "no error");
  EXPECT_EQ(report->input_bytes, total);
  EXPECT_EQ(report->weight_bytes, tensors_[0].bytes.size());
  EXPECT_EQ(report->files, 2u);
  EXPECT_EQ(report->tensors, 1u);
  EXPECT_EQ(report->matched_tensors, 1u);
  EXPECT_EQ(report->bases, 1u);
  EXPECT_EQ(last.total, total);
  // Headers are no chunks, and are not counted while they are written.
  EXPECT_GE(last.done, total - 1000);
  EXPECT_LE(last.done, total);
}

}  // namespace
}  // namespace finedelta
