#include "measure.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "memory.h"
#include "report.h"
#include "synthetic.h"

namespace finedelta::bench {
namespace {

// Stores the fine-tune as it is, and gives it back unless told otherwise.
class Liar : public Codec {
 public:
  enum class Lie : uint8_t { kNone, kOneBit, kNothingWritten, kError };
  explicit Liar(Lie lie) : lie_(lie) {}

  void encode(std::span<const Part>, Bytes, Bytes value, Sink& stored) override {
    stored.append(value);
  }

  Status decode(std::span<const Part>, Bytes, Bytes stored, MutableBytes value) override {
    if (lie_ == Lie::kNothingWritten) return {};
    std::ranges::copy(stored, value.begin());
    if (lie_ == Lie::kOneBit) value.back() ^= std::byte{1};
    if (lie_ == Lie::kError) return fail(ErrorCode::kDamaged, "made up");
    return {};
  }

 private:
  Lie lie_;
};

CodecEntry liar(std::string name, Liar::Lie lie) {
  return {.name = std::move(name), .make = [lie] { return std::make_unique<Liar>(lie); }};
}

Workload small_workload(uint64_t least_bytes) {
  SyntheticSpec spec;
  spec.weights = 1000;
  spec.cols = 10;
  return make_workload("small", make_synthetic(spec), least_bytes);
}

TEST(Measure, SaysWhatIsNotExact) {
  const std::vector<CodecEntry> codecs = {
      liar("honest", Liar::Lie::kNone), liar("one bit", Liar::Lie::kOneBit),
      liar("nothing", Liar::Lie::kNothingWritten), liar("error", Liar::Lie::kError)};
  const auto measured = measure(small_workload(0), codecs, 2);
  ASSERT_EQ(measured.size(), 4u);
  EXPECT_TRUE(measured[0].exact);
  EXPECT_FALSE(measured[1].exact);
  EXPECT_FALSE(measured[2].exact);
  EXPECT_FALSE(measured[3].exact);
  EXPECT_EQ(measured[3].error, "made up");
  EXPECT_EQ(measured[0].stored, 2000u);
  EXPECT_EQ(measured[0].encode_seconds.size(), 2u);
}

TEST(Measure, RepeatsTheModels) {
  const Workload workload = small_workload(5000);
  EXPECT_EQ(workload.copies.size(), 3u);
  EXPECT_EQ(workload.bytes(), 6000u);
  EXPECT_EQ(workload.weights(), 3000u);
  EXPECT_EQ(measure(workload, {{liar("honest", Liar::Lie::kNone)}}, 1)[0].stored, 6000u);
}

TEST(Measure, MemoryIsThePeak) {
  constexpr size_t kSize = 32 << 20;
  const auto peak = peak_beyond([] { std::vector<std::byte>(kSize, std::byte{1}); });
  if (!peak) GTEST_SKIP() << "The kernel does not tell";
  EXPECT_GT(*peak, kSize - (2u << 20));
  EXPECT_LT(*peak, kSize + (8u << 20));  // sanitizers hold an eighth more
  EXPECT_LT(peak_beyond([] {}).value(), 2u << 20);
}

TEST(Measure, MedianIsTheMiddle) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(ReportOfMeasurements, ComparesWithTheReferenceRoundByRound) {
  Report report{.pair = "pair", .bytes = 2'000'000'000, .weights = 1'000'000'000, .copies = 1};
  report.measurements = {{.name = "bitx",
                          .stored = 1'000'000'000,
                          .encode_seconds = {2, 4, 2},
                          .decode_seconds = {1, 2, 1}},
                         {.name = "other",
                          .stored = 500'000'000,
                          .encode_seconds = {1, 2, 1},
                          .decode_seconds = {2, 4, 2},
                          .exact = false,
                          .extra_bytes = 3 << 20}};
  const Figures figures = figures_of(report, report.measurements[1]);
  EXPECT_DOUBLE_EQ(figures.bits_per_weight, 4);
  EXPECT_DOUBLE_EQ(figures.ratio, 4);
  EXPECT_DOUBLE_EQ(figures.encode_gbs, 2);
  EXPECT_DOUBLE_EQ(figures.encode_relative.value(), 2);
  EXPECT_DOUBLE_EQ(figures.decode_relative.value(), 0.5);
  EXPECT_NE(as_markdown(report).find(
                "| other | 4.000 | 4.000 | 2.000 | 1.000 | 2.00 | 0.50 | 3.0 | NO |"),
            std::string::npos);
}

}  // namespace
}  // namespace finedelta::bench
