// Lossy archives: of the size that was asked for, as near to the fine-tune as they say, and exact
// where they say so.

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>

#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = LossyTarget::Kind;

// A matrix that gained something of every rank, the more the lower, as training adds it.
TestTensor trained(const TestTensor& base, DType dtype) {
  TestTensor out = base;
  for (const size_t rank : {1, 3, 9, 27}) out = with_adapter(out, rank, DType::kF32);
  return of_floats(base.name, dtype, base.shape, floats_of(out));
}

// The same, and noise of every rank besides, about as strong as what is of rank 1.
TestTensor noisily_trained(const TestTensor& base) {
  TestTensor out = base;
  for (const size_t rank : {1, 3, 9}) out = with_adapter(out, rank, DType::kF32);
  std::vector<float> values = floats_of(out);
  const std::vector<float> noise = even_numbers(values.size(), 28);
  for (size_t i = 0; i < values.size(); ++i) values[i] += 0x1p-8f * noise[i];
  return of_floats(base.name, base.dtype, base.shape, values);
}

class RoundtripLossy : public Roundtrip {
 protected:
  RoundtripLossy() {
    base_path_ = write_shard("base.safetensors", {base_});
    tuned_path_ = write_shard("tuned.safetensors", {tuned_});
    set(Kind::kBits, 1);
  }

  void set(Kind kind, double value) { options_.lossy = LossyTarget{.kind = kind, .value = value}; }

  // What comes out of `archive_`, whose SHA-256 are checked.
  std::string unpacked(const std::vector<std::string>& bases) {
    EXPECT_EQ(error_text(verify(archive_, bases)), "no error");
    const std::string output = dir_.path("out");
    UnpackOptions options;
    options.sha256 = true;
    options.force = true;
    const auto report = unpack(bases, archive_, output, options);
    EXPECT_EQ(error_text(report), "no error");
    EXPECT_TRUE(report && report->lossy);
    return read_file(output);
  }

  // The values of the last tensor of a file, of the same type and shape as this one.
  static std::vector<float> last_values(const std::string& file, const TestTensor& like) {
    TestTensor tensor = like;
    tensor.bytes = file.substr(file.size() - like.bytes.size());
    return floats_of(tensor);
  }

  const TestTensor base_ = make_tensor("w", DType::kBF16, {300, 200}, 1);
  const TestTensor tuned_ = trained(base_, DType::kBF16);
  std::string base_path_;
  std::string tuned_path_;
};

TEST_F(RoundtripLossy, SizesAreMetFromBelow) {
  constexpr double kElements = 300 * 200;
  const auto input = static_cast<double>(std::filesystem::file_size(tuned_path_));
  const auto expect_size = [&](Kind kind, double value, double bytes) {
    set(kind, value);
    const auto summary = pack_to_archive({base_path_}, tuned_path_);
    EXPECT_LE(static_cast<double>(summary.archive_bytes), bytes) << value;
    // Of so small an archive one value more or less is seen.
    EXPECT_GE(static_cast<double>(summary.archive_bytes), std::min(0.99 * bytes, bytes - 64))
        << value;
    EXPECT_TRUE(summary.lossy);
  };
  for (const double bits : {0.5, 1.0, 1.5, 2.0})
    expect_size(Kind::kBits, bits, kElements * bits / 8);
  expect_size(Kind::kBytes, 9000, 9000);
  expect_size(Kind::kRatio, 20, input / 20);
}

TEST_F(RoundtripLossy, MoreBitsHaveSmallerErrors) {
  double before = 2;
  for (const double bits : {0.4, 0.8, 1.6, 3.2}) {
    set(Kind::kBits, bits);
    const auto summary = pack_to_archive({base_path_}, tuned_path_);
    ASSERT_TRUE(summary.tensors[0].error.has_value());
    EXPECT_LT(summary.tensors[0].error->relative_error, 0.8 * before) << bits;
    before = summary.tensors[0].error->relative_error;
  }
  EXPECT_LT(before, 0.2);
}

TEST_F(RoundtripLossy, TheErrorsAreThoseOfWhatComesOut) {
  const auto summary = pack_to_archive({base_path_}, tuned_path_);
  const std::vector<float> out = last_values(unpacked({base_path_}), tuned_);
  const std::vector<float> base = floats_of(base_);
  const std::vector<float> fine = floats_of(tuned_);
  double error = 0, squares = 0, kept_squares = 0, product = 0, largest = 0;
  size_t zeros = 0, changed = 0, agreeing = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const double delta = double{fine[i]} - base[i];
    const double kept = double{out[i]} - base[i];
    error += (kept - delta) * (kept - delta);
    squares += delta * delta;
    kept_squares += kept * kept;
    product += delta * kept;
    largest = std::max(largest, std::abs(kept - delta));
    zeros += kept == 0 ? 1 : 0;
    changed += delta != 0 ? 1 : 0;
    agreeing += delta * kept > 0 ? 1 : 0;
  }
  const auto count = static_cast<double>(out.size());
  const TensorError stated = summary.tensors[0].error.value_or(TensorError{});
  const double relative = std::sqrt(error / squares);
  EXPECT_GE(stated.relative_error, relative * 0.999999);
  EXPECT_LE(stated.relative_error, relative * 1.01);
  EXPECT_GE(stated.largest_error, largest * 0.999999);
  EXPECT_LE(stated.largest_error, largest * 1.01);
  EXPECT_NEAR(stated.cosine, product / std::sqrt(squares * kept_squares), 1e-4);
  EXPECT_NEAR(stated.energy_kept, stated.cosine * stated.cosine, 1e-9);
  EXPECT_NEAR(stated.sign_agreement, static_cast<double>(agreeing) / static_cast<double>(changed),
              1e-4);
  EXPECT_NEAR(stated.zeros, static_cast<double>(zeros) / count, 1e-4);
  EXPECT_GT(summary.tensors[0].rank, 1u);
}

TEST_F(RoundtripLossy, ErrorsAreKeptTo) {
  uint64_t before = ~uint64_t{0};
  for (const double error : {0.2, 0.4, 0.8}) {
    set(Kind::kMaxError, error);
    const auto summary = pack_to_archive({base_path_}, tuned_path_);
    ASSERT_TRUE(summary.tensors[0].error.has_value()) << error;
    EXPECT_LE(summary.tensors[0].error->relative_error, error);
    EXPECT_GT(summary.tensors[0].error->relative_error, 0.9 * error);
    EXPECT_LT(summary.archive_bytes, before);
    before = summary.archive_bytes;
    unpacked({base_path_});
  }
}

// Where so small an error takes more than what is exact.
TEST_F(RoundtripLossy, ATinyErrorIsNone) {
  set(Kind::kMaxError, 1e-4);
  EXPECT_FALSE(pack_to_archive({base_path_}, tuned_path_).lossy);
  expect_unpacks({base_path_}, tuned_path_);
}

TEST_F(RoundtripLossy, BothFilesHaveTheirHash) {
  const auto lossy = pack_to_archive({base_path_}, tuned_path_);
  options_.lossy.reset();
  const auto exact = pack_to_archive({base_path_}, tuned_path_);
  EXPECT_EQ(lossy.files[0].original_sha256, exact.files[0].sha256);
  EXPECT_NE(lossy.files[0].sha256, exact.files[0].sha256);
  EXPECT_EQ(exact.files[0].original_sha256, "");
  EXPECT_FALSE(exact.lossy);
  EXPECT_FALSE(exact.tensors[0].error.has_value());
}

// In all types that may be lossy, from bases of all of them.
TEST_F(RoundtripLossy, OtherTypes) {
  for (const DType from : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const DType to : {DType::kF32, DType::kBF16, DType::kF16}) {
      const TestTensor base = multiple(1, make_tensor("w", DType::kF32, {96, 16, 3}, 1), from);
      const std::string base_path = write_shard("b.safetensors", {base});
      const TestTensor fine = trained(base, to);
      set(Kind::kBytes, 4000);
      const auto summary = pack_to_archive({base_path}, write_shard("t.safetensors", {fine}));
      ASSERT_TRUE(summary.lossy);
      EXPECT_LT(summary.tensors[0].error->relative_error, 0.9);
      unpacked({base_path});
    }
  }
}

// Everything but the trained matrix is exact, and the note says of which tensor it is not natural.
TEST_F(RoundtripLossy, WhatMustBeExactIs) {
  const TestTensor norm = make_tensor("a.norm", DType::kBF16, {200}, 2);
  const TestTensor same = make_tensor("b.same", DType::kBF16, {64, 64}, 3);
  const TestTensor alone = make_tensor("c.alone", DType::kBF16, {40, 50}, 4);
  const TestTensor special = make_tensor("d.special", DType::kBF16, {64, 64}, 5);
  const TestTensor ints = make_tensor("e.ints", DType::kI32, {64, 64}, 6);
  const auto base = write_shard("m/base.safetensors", {norm, same, special, ints, base_});
  const std::vector<TestTensor> exact = {
      tuned(norm), same, alone, with_specials(trained(special, DType::kBF16), 1), tuned(ints)};
  std::vector<TestTensor> all = exact;
  all.push_back(tuned_);
  const auto fine = write_shard("t/tuned.safetensors", all);
  set(Kind::kBytes, 40'000);
  const auto summary = pack_to_archive({base}, fine);
  for (const TensorSummary& tensor : summary.tensors) {
    EXPECT_EQ(tensor.error.has_value(), tensor.name == "w") << tensor.name;
  }
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("'d.special' holds a NaN")));
  const std::string before = read_file(fine);
  const std::string after = unpacked({base});
  ASSERT_EQ(after.size(), before.size());
  const size_t behind = before.size() - tuned_.bytes.size();
  EXPECT_TRUE(after.substr(0, behind) == before.substr(0, behind));
  EXPECT_FALSE(after == before);
}

TEST_F(RoundtripLossy, RowsThatTheBaseDoesNotHave) {
  const auto base = write_shard("b.safetensors", {first_rows(base_, 280)});
  const auto summary = pack_to_archive({base}, tuned_path_);
  EXPECT_EQ(summary.tensors[0].match, "resized");
  ASSERT_TRUE(summary.tensors[0].error.has_value());
  EXPECT_LT(summary.tensors[0].error->relative_error, 0.9);
  unpacked({base});
}

TEST_F(RoundtripLossy, ADirectoryWithItsSideFiles) {
  const auto base = dir_.path("base");
  const auto fine = dir_.path("fine");
  const TestTensor other = renamed(base_, "v");
  std::ignore = write_shard("base/model.safetensors", {base_, other});
  std::ignore = write_shard("fine/one.safetensors", {tuned_});
  std::ignore = write_shard("fine/two.safetensors", {trained(other, DType::kBF16)});
  dir_.write("fine/config.json", "{}");
  const auto summary = pack_to_archive({base}, fine);
  EXPECT_TRUE(summary.lossy);
  const std::string output = dir_.path("out");
  ASSERT_EQ(error_text(unpack({base}, archive_, output)), "no error");
  EXPECT_EQ(read_file(output + "/config.json"), "{}");
  EXPECT_FALSE(read_file(output + "/one.safetensors") == read_file(fine + "/one.safetensors"));
}

// Signs of zeros are no error, but they are other bytes: what comes out is not called exact.
TEST_F(RoundtripLossy, OtherSignsOfZeros) {
  std::vector<float> values = floats_of(base_);
  for (size_t i = 0; i < values.size(); i += 100) values[i] = 0.0f;
  const TestTensor positive = of_floats("w", DType::kBF16, base_.shape, values);
  for (size_t i = 0; i < values.size(); i += 100) values[i] = -0.0f;
  const TestTensor negative = of_floats("w", DType::kBF16, base_.shape, values);
  const auto base = write_shard("b.safetensors", {positive});
  const auto fine = write_shard("t.safetensors", {negative});
  set(Kind::kMaxError, 0.5);
  const auto summary = pack_to_archive({base}, fine);
  const auto out = dir_.path("out");
  UnpackOptions options;
  options.sha256 = true;
  ASSERT_EQ(error_text(unpack({base}, archive_, out, options)), "no error");
  EXPECT_EQ(summary.lossy, read_file(out) != read_file(fine));
  EXPECT_EQ(summary.tensors[0].error.has_value(), summary.lossy);
}

// An archive in which nothing is lossy is not called so.
TEST_F(RoundtripLossy, NothingToLose) {
  const auto norm = make_tensor("norm", DType::kBF16, {64}, 1);
  const auto base = write_shard("b.safetensors", {norm, base_});
  const auto fine = write_shard("t.safetensors", {tuned(norm), base_});
  set(Kind::kBytes, 1040);
  const auto summary = pack_to_archive({base}, fine);
  EXPECT_FALSE(summary.lossy);
  EXPECT_EQ(summary.format_version, 1u);
  expect_unpacks({base}, fine);
}

TEST_F(RoundtripLossy, SizesThatCantBeHad) {
  set(Kind::kBytes, 300);
  EXPECT_THAT(error_text(try_pack({base_path_}, tuned_path_)),
              testing::MatchesRegex("usage: a lossy archive of this fine-tune can't have 300 "
                                    "bytes: the smallest has [0-9]+"));
  set(Kind::kBits, 15.5);
  EXPECT_THAT(error_text(try_pack({base_path_}, tuned_path_)), HasSubstr("the largest has"));
  for (const double value : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    set(Kind::kBits, value);
    EXPECT_EQ(error_text(try_pack({base_path_}, tuned_path_)),
              "usage: the target of a lossy archive is not a number above 0");
  }
  EXPECT_THAT(names(), ElementsAre("base.safetensors", "tuned.safetensors"));
}

TEST_F(RoundtripLossy, TheSameWhateverThreadsAndMemory) {
  std::string first;
  for (const unsigned threads : {1, 3}) {
    for (const uint64_t memory : {kLeastMemory, kDefaultMemory}) {
      options_.threads = threads;
      options_.memory = memory;
      pack_to_archive({base_path_}, tuned_path_);
      const std::string bytes = read_file(archive_);
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << threads << " threads, " << memory << " bytes";
    }
  }
}

// Matrices with more directions than are looked for.
class RoundtripLossySteps : public RoundtripLossy {
 protected:
  ArchiveSummary pack_trained(const TestTensor& base) {
    return pack_to_archive({write_shard("b.safetensors", {base})},
                           write_shard("t.safetensors", {noisily_trained(base)}));
  }

  [[nodiscard]] std::string trained_base() const { return dir_.path("b.safetensors"); }

  static bool has_steps(const ArchiveSummary& summary) {
    return std::ranges::any_of(summary.tensors.at(0).coders,
                               [](const CoderUse& use) { return use.coder == "steps"; });
  }

  const TestTensor wide_ = make_tensor("w", DType::kBF16, {400, 300}, 1);
  // Two chunks, the second of which begins within a row.
  const TestTensor long_ = make_tensor("w", DType::kF32, {1100, 300}, 1);
};

TEST_F(RoundtripLossySteps, SizesAreMetFromBelow) {
  for (const DType dtype : {DType::kBF16, DType::kF32}) {
    const TestTensor base = make_tensor("w", dtype, {400, 300}, 1);
    double before = 2;
    for (const double bits : {0.5, 1.0, 2.0, 3.0, 4.5, 6.0}) {
      SCOPED_TRACE(bits);
      set(Kind::kBits, bits);
      const auto summary = pack_trained(base);
      ASSERT_TRUE(summary.tensors[0].error.has_value());
      const double bytes = 400 * 300 * bits / 8;
      EXPECT_LE(static_cast<double>(summary.archive_bytes), bytes);
      EXPECT_GE(static_cast<double>(summary.archive_bytes), 0.99 * bytes);
      EXPECT_LT(summary.tensors[0].error->relative_error, before);
      before = summary.tensors[0].error->relative_error;
      EXPECT_TRUE(has_steps(summary) || bits < 2);
      unpacked({trained_base()});
    }
    EXPECT_LT(before, 0.1);
  }
}

TEST_F(RoundtripLossySteps, ErrorsAreKeptTo) {
  for (const TestTensor& base : {wide_, long_}) {
    set(Kind::kMaxError, 0.05);
    const auto summary = pack_trained(base);
    EXPECT_TRUE(has_steps(summary));
    const std::vector<float> before = floats_of(base);
    const std::vector<float> fine = floats_of(noisily_trained(base));
    const std::vector<float> out = last_values(unpacked({trained_base()}), base);
    double error = 0, squares = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      error += std::pow(double{out[i]} - fine[i], 2);
      squares += std::pow(double{fine[i]} - before[i], 2);
    }
    EXPECT_LE(std::sqrt(error / squares), 0.05);
    EXPECT_GT(std::sqrt(error / squares), 0.045);
  }
}

TEST_F(RoundtripLossySteps, ChunksThatBeginWithinARow) {
  set(Kind::kBits, 2);
  const auto summary = pack_trained(long_);
  ASSERT_EQ(summary.tensors[0].coders.size(), 1u);
  EXPECT_EQ(summary.tensors[0].coders[0].coder, "steps");
  EXPECT_EQ(summary.tensors[0].coders[0].chunks, 2u);
  const std::string all = unpacked({trained_base()});
  const std::string out = dir_.path("rows.safetensors");
  const auto report = extract({trained_base()}, archive_, {"w[850:900]"}, out);
  ASSERT_EQ(error_text(report), "no error");
  const size_t row = long_.bytes.size() / 1100;
  const std::string file = read_file(out);
  EXPECT_TRUE(file.substr(file.size() - 50 * row) == all.substr(all.size() - 250 * row, 50 * row));
}

TEST_F(RoundtripLossySteps, ASecondLayerMakesThemExact) {
  options_.progressive = true;
  for (const TestTensor& base : {wide_, long_}) {
    set(Kind::kBits, 2);
    const auto summary = pack_trained(base);
    EXPECT_TRUE(summary.progressive);
    EXPECT_TRUE(has_steps(summary));
    expect_unpacks({trained_base()}, dir_.path("t.safetensors"));
  }
}

TEST_F(RoundtripLossySteps, TheSameWhateverThreadsAndMemory) {
  set(Kind::kBits, 2);
  std::string first;
  for (const unsigned threads : {1, 3}) {
    for (const uint64_t memory : {kLeastMemory, kDefaultMemory}) {
      options_.threads = threads;
      options_.memory = memory;
      EXPECT_TRUE(has_steps(pack_trained(long_)));
      const std::string bytes = read_file(archive_);
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << threads << " threads, " << memory << " bytes";
    }
  }
}

// What is meant for losses may make all exact: nothing is called lossy then, but only those who
// know these codes can read it.
class RoundtripExactByLuck : public RoundtripLossySteps {
 protected:
  // A base of numbers from 1 to 1.5, and one with a unit in the last place more where that is said.
  template <typename More>
  void expect_exact_but_new(More more) {
    std::mt19937_64 engine(1);
    std::vector<float> values(400 * 300);
    for (float& value : values) value = 1 + 0x1p-7f * static_cast<float>(engine() % 64);
    const auto base =
        write_shard("b.safetensors", {of_floats("w", DType::kBF16, {400, 300}, values)});
    for (size_t i = 0; i < values.size(); ++i) {
      if (more(i / 300, i % 300)) values[i] += 0x1p-7f;
    }
    const auto fine =
        write_shard("t.safetensors", {of_floats("w", DType::kBF16, {400, 300}, values)});
    set(Kind::kMaxError, 0.5);
    summary_ = pack_to_archive({base}, fine);
    EXPECT_FALSE(summary_.lossy);
    EXPECT_EQ(summary_.format_version, 2u);
    expect_unpacks({base}, fine);
  }

  ArchiveSummary summary_;
};

TEST_F(RoundtripExactByLuck, OfFactors) {
  expect_exact_but_new([](size_t row, size_t column) { return row % 3 == 0 && column % 5 < 2; });
  EXPECT_EQ(summary_.tensors.at(0).predictor, "low rank");
}

TEST_F(RoundtripExactByLuck, OfSteps) {
  std::mt19937_64 engine(2);
  expect_exact_but_new([&](size_t, size_t) { return engine() % 200 == 0; });
  EXPECT_TRUE(has_steps(summary_));
}

TEST_F(RoundtripExactByLuck, SoThereIsNoSecondLayer) {
  options_.progressive = true;
  expect_exact_but_new([](size_t row, size_t column) { return row % 3 == 0 && column % 5 < 2; });
  EXPECT_FALSE(summary_.progressive);
}

}  // namespace
}  // namespace finedelta
