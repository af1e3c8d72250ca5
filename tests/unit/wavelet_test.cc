// The parts of coder wavelet, held against src/coder/wavelet/spec.md; coders_test.cc has what every
// coder owes.
#include "coder/wavelet/wavelet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "coder/wavelet/header.h"
#include "coder/wavelet/table.h"
#include "coder/wavelet/tree.h"
#include "unit/on_every_target.h"

namespace finedelta::wavelet {
namespace {

using Buffer = std::vector<std::byte>;
using Counts = std::array<uint32_t, kMostSymbols>;

uint32_t total_of(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint32_t{0});
}

Buffer bytes_of(BitWriter& bits) {
  const Bytes bytes = bits.finish();
  return {bytes.begin(), bytes.end()};
}

// The table that was written is the one that is read.
void check_table(const Counts& counts, unsigned precision) {
  BitWriter writer;
  const Table written = write_table(counts, precision, writer);
  const Buffer bytes = bytes_of(writer);
  Buffer buffer;
  BitReader reader(bytes, buffer);
  Table read;
  ASSERT_TRUE(read_table(reader, precision, total_of(counts), read));
  ASSERT_TRUE(reader.at_end());
  ASSERT_EQ(read.size, written.size);
  for (unsigned symbol = 0; symbol < written.size; ++symbol) {
    ASSERT_EQ(read.weight[symbol], written.weight[symbol]) << "symbol " << symbol;
    ASSERT_EQ(read.weight[symbol] > 0, counts[symbol] > 0) << "symbol " << symbol;
  }
}

TEST(WaveletTable, LevelsSurvive) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    Counts counts{};
    const auto size = 1 + random() % kMostSymbols;
    const auto gap = 1 + random() % 8;  // every so many symbols come on the average
    for (unsigned symbol = 0; symbol < size; ++symbol) {
      if (random() % gap != 0) continue;
      counts[symbol] = 1 + ((static_cast<uint32_t>(random()) & 0xFFFF) >> random() % 17);
    }
    if (total_of(counts) == 0) counts[size - 1] = 1;
    ASSERT_NO_FATAL_FAILURE(check_table(counts, 1 + static_cast<unsigned>(round) % 3)) << round;
  }
}

// Where a common symbol, many that do not come and a rare one follow one another, short numbers
// would be best but for the one of the first that does not come, which has more ones than a table
// may have.
TEST(WaveletTable, NoNumberHasTooManyOnes) {
  for (unsigned precision = 1; precision <= kMostPrecision; ++precision) {
    for (unsigned log2 = 0; log2 <= 20; ++log2) {
      for (const unsigned last : {1u, 100u, 200u, kMostSymbols - 1}) {
        Counts counts{};
        counts[0] = counts[1] = uint32_t{1} << log2 >> 1;
        ++counts[last];
        ASSERT_NO_FATAL_FAILURE(check_table(counts, precision)) << log2 << ' ' << last;
      }
    }
  }
}

TEST(WaveletTable, AWeightIsAboutTheShare) {
  Counts counts{};
  const std::array<uint32_t, 7> some = {1, 2, 70, 700, 1000, 5, 40'000};
  std::ranges::copy(some, counts.begin());
  for (unsigned precision = 1; precision <= kMostPrecision; ++precision) {
    BitWriter bits;
    const Table table = write_table(counts, precision, bits);
    ASSERT_EQ(table.size, some.size());
    const double step = std::exp2(1.0 / (1 << precision));
    for (size_t i = 0; i < some.size(); ++i) {
      const double share = some[i] / double(total_of(counts));
      const double weight = table.weight[i] / double(512 << 16);
      EXPECT_LT(std::abs(std::log2(weight / share)), std::log2(step) * 0.51 + 0.002) << some[i];
    }
  }
}

TEST(WaveletTable, OfOneSymbolIsShort) {
  Counts counts{};
  counts[0] = 64;
  BitWriter bits;
  write_table(counts, 1, bits);
  // Highest symbol 0, one low bit, number 3 (level 0 less 2): a one, a zero, the low bit.
  EXPECT_EQ(bits.bits(), 13u);
  EXPECT_EQ(bytes_of(bits), (Buffer{std::byte{0}, std::byte{0b1'01'01}}));
}

Table table_of(std::vector<uint32_t> weights) {
  Table table;
  table.size = static_cast<unsigned>(weights.size());
  std::ranges::copy(weights, table.weight.begin());
  return table;
}

// "(left right)" with the skew before a node where it is over 0 and '!' where its bits are
// inverted.
std::string text_of(const Tree& tree, int child) {
  if (is_leaf(child)) return std::to_string(leaf_symbol(child));
  const Node& node = tree.nodes[child];
  return (node.skew > 0 ? std::to_string(node.skew) : "") + (node.flipped ? "!" : "") + "(" +
         text_of(tree, node.left) + " " + text_of(tree, node.right) + ")";
}

std::string tree_text(std::vector<uint32_t> weights) {
  Tree tree;
  build_tree(table_of(std::move(weights)), tree);
  return text_of(tree, tree.root);
}

TEST(WaveletTree, ASingleSymbolIsALeaf) {
  EXPECT_EQ(tree_text({5}), "0");
  EXPECT_EQ(tree_text({0, 0, 0, 9}), "3");
}

TEST(WaveletTree, SplitsWhereTheSidesDifferLeast) {
  EXPECT_EQ(tree_text({4, 4}), "(0 1)");
  EXPECT_EQ(tree_text({1, 1, 1, 1}), "((0 1) (2 3))");
  EXPECT_EQ(tree_text({0, 1, 0, 0, 1, 1, 1}), "((1 4) (5 6))");
  EXPECT_EQ(tree_text({8, 4, 2, 2}), "(0 (1 (2 3)))");
  EXPECT_EQ(tree_text({2, 2, 4, 8}), "(((0 1) 2) 3)");
}

TEST(WaveletTree, OfTwoSuchPlacesTheLowerOneIsTaken) {
  EXPECT_EQ(tree_text({1, 1, 1}), "2!(0 (1 2))");
  EXPECT_EQ(tree_text({3, 2, 3}), "2!(0 1!(1 2))");
  EXPECT_EQ(tree_text({1, 2, 1}), "4!(0 2(1 2))");
}

TEST(WaveletTree, TheRarerSideIsWrittenAsOnes) {
  EXPECT_EQ(tree_text({1, 3}), "4!(0 1)");
  EXPECT_EQ(tree_text({3, 1}), "4(0 1)");
  EXPECT_EQ(tree_text({1, 1'000'000}), "55!(0 1)");
}

// The worked example of docs/format.md.
TEST(WaveletTree, OfTheExample) {
  std::vector<uint32_t> weights(32);
  weights[0] = 23724032;
  weights[1] = weights[2] = 2965504;
  weights[31] = 262144;
  EXPECT_EQ(tree_text(weights), "5(0 (1 11(2 31)))");
}

TEST(WaveletTree, SkewsSayHowANodeIsWritten) {
  const auto node = [](unsigned skew) { return Node{.skew = skew}; };
  EXPECT_EQ(node(0).code(), NodeCode::kRaw);
  EXPECT_EQ(node(1).code(), NodeCode::kCoded);
  EXPECT_EQ(node(24).code(), NodeCode::kCoded);
  EXPECT_EQ(node(25).code(), NodeCode::kGaps);
  EXPECT_EQ(node(25).rice(), 6u);
  EXPECT_EQ(node(55).code(), NodeCode::kGaps);
  EXPECT_EQ(node(55).rice(), 14u);
}

constexpr FloatLayout kBF16 = {.bits = 16, .mantissa = 7};

Header read(std::initializer_list<int> bytes, FloatLayout layout, std::string& why) {
  Buffer buffer;
  for (const int byte : bytes) buffer.push_back(static_cast<std::byte>(byte));
  ByteReader reader(buffer);
  const Header header = read_header(reader, layout);
  why = reader.why();
  if (reader.ok() && reader.remaining() > 0) why = "bytes behind";
  return header;
}

TEST(WaveletHeader, ComesBack) {
  for (const unsigned lanes : {0u, 1u, 4u, 8u, 16u, 32u, 64u, 128u}) {
    for (const uint8_t contexts : std::array<uint8_t, 3>{1, 3, 4}) {
      for (uint8_t class_log2 = 0; class_log2 <= 2; ++class_log2) {
        const bool one = contexts == 1;
        Header header{.model = {.kind = SymbolKind::kLeading,
                                .precision = 3,
                                .contexts = contexts,
                                .class_log2 = class_log2,
                                .context_bits = static_cast<uint8_t>(one ? 0 : 2),
                                .context_top = one ? 0u : 1023u,
                                .symbol_bits = 3,
                                .symbol_top = 2047},
                      .lanes = lanes,
                      .bit_bytes = 70'000};
        ByteWriter out;
        write_header(header, out);
        ByteReader in(out.view());
        const Header again = read_header(in, kBF16);
        ASSERT_TRUE(in.ok()) << in.why();
        ASSERT_EQ(in.remaining(), 0u);
        EXPECT_EQ(again.lanes, lanes);
        EXPECT_EQ(again.bit_bytes, 70'000u);
        EXPECT_EQ(again.model.kind, SymbolKind::kLeading);
        EXPECT_EQ(again.model.precision, 3);
        EXPECT_EQ(again.model.contexts, contexts);
        EXPECT_EQ(again.model.class_log2, class_log2);
        EXPECT_EQ(again.model.context_bits, header.model.context_bits);
        EXPECT_EQ(again.model.context_top, header.model.context_top);
        EXPECT_EQ(again.model.symbol_bits, 3);
        EXPECT_EQ(again.model.symbol_top, 2047u);
      }
    }
  }
}

TEST(WaveletHeader, IsWhatTheSpecificationSays) {
  std::string why;
  // Leading, precision 2, S = 1, L = 6; 6 contexts of 2 classes, X = 1; tops 300 and 5; size 9.
  const Header header = read({0xCB, 0x55, 0xAC, 0x02, 5, 9}, kBF16, why);
  EXPECT_EQ(why, "");
  EXPECT_EQ(header.model.kind, SymbolKind::kLeading);
  EXPECT_EQ(header.model.precision, 2);
  EXPECT_EQ(header.model.symbol_bits, 1);
  EXPECT_EQ(header.lanes, 64u);
  EXPECT_EQ(header.model.contexts, 3);
  EXPECT_EQ(header.model.classes(), 2u);
  EXPECT_EQ(header.model.context_bits, 1);
  EXPECT_EQ(header.model.context_top, 300u);
  EXPECT_EQ(header.model.symbol_top, 5u);
  EXPECT_EQ(header.bit_bytes, 9u);
}

TEST(WaveletHeader, RefusesWhatIsOutOfRange) {
  constexpr FloatLayout kE5M2 = {.bits = 8, .mantissa = 2};
  const auto why = [](std::initializer_list<int> bytes, FloatLayout layout) {
    std::string text;
    (void)read(bytes, layout, text);
    return text;
  };
  EXPECT_EQ(why({0x00, 0x00, 0}, kBF16), "");
  EXPECT_EQ(why({0x06, 0x00, 0}, kBF16), "its tables are too precise");
  EXPECT_EQ(why({0x08, 0x00, 0}, kBF16), "its symbols are of no known kind");
  EXPECT_EQ(why({0x00, 0x10, 0}, kBF16), "its contexts are of no known kind");
  EXPECT_EQ(why({0x00, 0x51, 0}, kBF16), "its contexts are of no known kind");  // X, but E = 1
  EXPECT_EQ(why({0x00, 0xC7, 0, 0}, kBF16), "its classes are of no known kind");
  EXPECT_EQ(why({0x00, 0x82, 0}, kBF16), "its classes are of no known kind");
  EXPECT_EQ(why({0x00, 0x31, 0, 0}, kE5M2), "its symbols are wider than its numbers");
  EXPECT_EQ(why({0x19, 0x00, 0, 0}, kE5M2), "its symbols are wider than its numbers");
  EXPECT_EQ(why({0x00, 0x01, 0xFF, 0x01, 0}, kBF16), "");
  EXPECT_EQ(why({0x00, 0x01, 0x80, 0x02, 0}, kBF16), "its symbols begin too high");
  EXPECT_EQ(why({0x11, 0x00, 0x80, 0x08, 0}, kBF16), "its symbols begin too high");
  EXPECT_EQ(why({0x11, 0x00, 0xFF, 0x07, 0}, kBF16), "");
  EXPECT_EQ(why({0x00}, kBF16), "it ends too early");
}

// Numbers like a model's, as BF16.
std::vector<float> weights(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> out(count);
  for (float& weight : out) {
    // The sum of many is about normal.
    int sum = 0;
    for (int i = 0; i < 8; ++i) sum += static_cast<int>(random() % 2001) - 1000;
    weight = static_cast<float>(sum) * 1e-5f;
  }
  return out;
}

Buffer bf16_of(const std::vector<float>& values) {
  Buffer bytes(2 * values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    store(bytes.data() + 2 * i, static_cast<uint16_t>(std::bit_cast<uint32_t>(values[i]) >> 16));
  }
  return bytes;
}

struct Coded {
  Header header;
  size_t size;
  uint64_t estimate;
};

Coded coded(const Buffer& value, const Buffer& prediction) {
  CoderScratch scratch;
  const ChunkInput chunk{.dtype = DType::kBF16, .value = value, .prediction = prediction};
  const auto estimate = analyze_wavelet(chunk, scratch);
  Buffer stored;
  encode_wavelet(chunk, scratch, stored);
  Buffer again(value.size());
  EXPECT_TRUE(decode_wavelet(stored, DType::kBF16, prediction, again, scratch).has_value());
  EXPECT_EQ(again, value);
  ByteReader in(stored);
  const Header header = read_header(in, kBF16);
  EXPECT_TRUE(in.ok());
  return {.header = header, .size = stored.size(), .estimate = estimate.value_or(0)};
}

constexpr size_t kUnits = size_t{1} << 16;

// An estimate from a sample is near what comes of it.
void expect_near_estimate(const Coded& coded) {
  EXPECT_LT(coded.size, coded.estimate + coded.estimate / 50 + 64);
  EXPECT_GT(coded.size + coded.size / 50 + 64, coded.estimate);
}

// Chunks of more units than are put together at a time.
using WaveletModel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(WaveletModel);

TEST_P(WaveletModel, NearPairsAreDifferencesInContexts) {
  const std::vector<float> base = weights(kUnits, 1);
  const std::vector<float> noise = weights(kUnits, 2);
  std::vector<float> tuned = base;
  for (size_t i = 0; i < kUnits; ++i) tuned[i] += noise[i] / 64;
  const Coded near = coded(bf16_of(tuned), bf16_of(base));
  EXPECT_EQ(near.header.model.kind, SymbolKind::kDifference);
  EXPECT_GT(near.header.model.contexts, 2);
  EXPECT_LT(near.size, kUnits);
  expect_near_estimate(near);
}

TEST_P(WaveletModel, ContextsMayBeMany) {
  std::vector<float> base = weights(kUnits, 1);
  const std::vector<float> noise = weights(kUnits, 2);
  std::vector<float> tuned = base;
  std::mt19937_64 random(3);
  for (size_t i = 0; i < kUnits; ++i) {
    base[i] = std::ldexp(base[i], -static_cast<int>(random() % 16));
    tuned[i] = base[i] + noise[i] / 1024;
  }
  EXPECT_GT(coded(bf16_of(tuned), bf16_of(base)).header.model.contexts, 8);
}

TEST_P(WaveletModel, UnrelatedPairsAreLeadingBits) {
  const Coded far = coded(bf16_of(weights(kUnits, 1)), bf16_of(weights(kUnits, 2)));
  EXPECT_EQ(far.header.model.kind, SymbolKind::kLeading);
  EXPECT_LT(far.size, 2 * kUnits * 11 / 16);
  expect_near_estimate(far);
}

TEST_P(WaveletModel, WithoutAPredictionThereIsOneContextOfLeadingBits) {
  const Coded alone = coded(bf16_of(weights(kUnits, 1)), {});
  EXPECT_EQ(alone.header.model.kind, SymbolKind::kLeading);
  EXPECT_EQ(alone.header.model.streams(), 1u);
  EXPECT_LT(alone.size, 2 * kUnits * 11 / 16);
  expect_near_estimate(alone);
}

// A sample is of whole windows, and of the same units of value and prediction.
TEST_P(WaveletModel, SamplesFitWhateverTheNumberOfUnits) {
  const std::vector<float> base = weights(kUnits, 1);
  const std::vector<float> noise = weights(kUnits, 2);
  const size_t usual = 40'000;
  size_t near = 0;
  size_t alone = 0;
  for (size_t count = usual; count <= usual + 33; ++count) {
    std::vector<float> tuned(base.begin(), base.begin() + static_cast<ptrdiff_t>(count));
    const Buffer prediction = bf16_of(tuned);
    for (size_t i = 0; i < count; ++i) tuned[i] += noise[i] / 64;
    const Buffer value = bf16_of(tuned);
    const size_t now_near = coded(value, prediction).size;
    const size_t now_alone = coded(value, {}).size;
    if (count == usual) {
      near = now_near;
      alone = now_alone;
    }
    EXPECT_LT(now_near, near + near / 20) << count;
    EXPECT_LT(now_alone, alone + alone / 20) << count;
  }
}

TEST_P(WaveletModel, RowsThatWereNotTouchedAreAClass) {
  const std::vector<float> base = weights(kUnits, 1);
  const std::vector<float> noise = weights(kUnits, 2);
  std::vector<float> tuned = base;
  for (size_t i = 0; i < kUnits; ++i) {
    if (i / 256 % 4 == 0) tuned[i] += noise[i] / 32;
  }
  const Coded rows = coded(bf16_of(tuned), bf16_of(base));
  EXPECT_GT(rows.header.model.class_log2, 0);
  expect_near_estimate(rows);
}

// Few symbols, of which one comes once: written as a number that a table can't have if it is not
// careful.
TEST_P(WaveletModel, ARareSymbolFarFromTheOthersIsReadBack) {
  std::vector<float> values(size_t{1} << 18);
  std::mt19937_64 random(1);
  for (float& value : values) {
    value = 1 + static_cast<float>(random() % 1000) / 4100;
    if (random() % 2 == 0) value = -value;
  }
  values[12345] = 0;
  (void)coded(bf16_of(values), {});
}

}  // namespace
}  // namespace finedelta::wavelet
