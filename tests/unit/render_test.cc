#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "render/progress.h"
#include "render/sparkline.h"
#include "render/table.h"
#include "render/tensor_text.h"
#include "render/text.h"
#include "render/units.h"

namespace finedelta::cli {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

TEST(Units, SizesHaveThreeDigits) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(999), "999 bytes");
  EXPECT_EQ(size_text(1000), "1.00 kB");
  EXPECT_EQ(size_text(9'994), "9.99 kB");
  EXPECT_EQ(size_text(9'999), "10.0 kB");
  EXPECT_EQ(size_text(99'949), "99.9 kB");
  EXPECT_EQ(size_text(99'960), "100 kB");
  EXPECT_EQ(size_text(999'499), "999 kB");
  EXPECT_EQ(size_text(999'500), "1.00 MB");
  EXPECT_EQ(size_text(14'200'000'000), "14.2 GB");
  EXPECT_EQ(size_text(kMost), "18.4 EB");
}

TEST(Units, RatesNeedTime) {
  EXPECT_EQ(rate_text(512'000'000, 1), "512 MB/s");
  EXPECT_EQ(rate_text(100, 0.5), "200 bytes/s");
  EXPECT_EQ(rate_text(0, 2), "0 bytes/s");
  EXPECT_EQ(rate_text(100, 0), "-");
  EXPECT_EQ(rate_text(100, std::numeric_limits<double>::quiet_NaN()), "-");
  EXPECT_EQ(rate_text(kMost, 1e-9), "-");
}

TEST(Units, DurationsFromTenthsToHours) {
  EXPECT_EQ(duration_text(0), "0.0 s");
  EXPECT_EQ(duration_text(9.94), "9.9 s");
  EXPECT_EQ(duration_text(9.96), "10 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(3599.6), "1 h 00 min");
  EXPECT_EQ(duration_text(7'620), "2 h 07 min");
  EXPECT_EQ(duration_text(-1), "-");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::quiet_NaN()), "-");
}

TEST(Units, RatiosAndBits) {
  EXPECT_EQ(ratio_text(279, 100), "2.79x");
  EXPECT_EQ(ratio_text(1, 0), "-");
  EXPECT_EQ(bits_per_weight_text(422, 800), "4.22");
  EXPECT_EQ(bits_per_weight_text(0, 0), "-");
  EXPECT_EQ(count_text(1, "file"), "1 file");
  EXPECT_EQ(count_text(0, "file"), "0 files");
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_size("67108864"), 67'108'864u);
  EXPECT_EQ(parse_size("7B"), 7u);
  EXPECT_EQ(parse_size("64M"), uint64_t{64} << 20);
  EXPECT_EQ(parse_size("64mib"), uint64_t{64} << 20);
  EXPECT_EQ(parse_size("64MB"), 64'000'000u);
  EXPECT_EQ(parse_size("3K"), 3'072u);
  EXPECT_EQ(parse_size("3KB"), 3'000u);
  EXPECT_EQ(parse_size("2g"), uint64_t{2} << 30);
  EXPECT_EQ(parse_size("2GB"), 2'000'000'000u);
  EXPECT_EQ(parse_size("1TiB"), uint64_t{1} << 40);
  EXPECT_EQ(parse_size("1TB"), 1'000'000'000'000u);
  EXPECT_EQ(parse_size("18446744073709551615"), kMost);
  EXPECT_EQ(parse_size("16777215T"), uint64_t{16'777'215} << 40);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text : {"", "M", "-1", "+1", " 1", "1 M", "1.5G", "1X", "1MM", "0x10", "1k1",
                           "18446744073709551616", "16777216T"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Text, EscapesControlsAndBadBytes) {
  EXPECT_EQ(escaped("plain äß 模型 🙂"), "plain äß 模型 🙂");
  EXPECT_EQ(escaped("a\x1b[31m\n\x7f"), "a\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(escaped("\xc2\x9b"), "\\xc2\\x9b") << "a C1 control";
  EXPECT_EQ(escaped("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(escaped("\xe0\x80\xaf"), "\\xe0\\x80\\xaf") << "overlong";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "over U+10FFFF";
  EXPECT_EQ(escaped("\xe6\xa8z"), "\\xe6\\xa8z") << "cut short";
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(in_quotes("a\tb"), "'a\\x09b'");
}

TEST(Text, CountsAndCutsCharacters) {
  EXPECT_EQ(text_width("aäß"), 3u);
  EXPECT_EQ(cut("aäß", 2), "aä");
  EXPECT_EQ(cut("aäß", 3), "aäß");
  EXPECT_EQ(cut("aäß", 9), "aäß");
  EXPECT_EQ(cut("aäß", 0), "");
}

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"SIZE", Align::kRight}, {"KIND"}});
  table.add({"ä", "12 bytes", "x"});
  table.add({"longer\n", "1", ""});
  EXPECT_EQ(table.text(),
            "NAME            SIZE  KIND\n"
            "ä           12 bytes  x\n"
            "longer\\x0a         1\n");
}

TEST(Table, IsJustTitlesWithoutRows) {
  EXPECT_EQ(Table({{"A"}, {"B", Align::kRight}}).text(), "A  B\n");
}

TEST(ProgressText, TellsShareRateAndTimeLeft) {
  const Progress progress{.done = 1'230'000'000, .total = 2'940'000'000};
  EXPECT_EQ(progress_line("packing", progress, 2, 80),
            "packing  41 %  1.23 GB of 2.94 GB  615 MB/s  2.8 s left");
  EXPECT_EQ(progress_line("packing", progress, 2, 20), "packing  41 %  1.23 ");
}

TEST(ProgressText, SaysNothingOfTheRateAtFirst) {
  EXPECT_EQ(progress_line("packing", {.done = 1, .total = 1000}, 0.1, 80),
            "packing   0 %  1 byte of 1.00 kB");
  EXPECT_EQ(progress_line("packing", {.done = 0, .total = 1000}, 9, 80),
            "packing   0 %  0 bytes of 1.00 kB");
}

TEST(ProgressText, NeverLeavesTheRange) {
  EXPECT_EQ(progress_line("x", {.done = 0, .total = 0}, 9, 80), "x 100 %  0 bytes of 0 bytes");
  EXPECT_EQ(progress_line("x", {.done = 5, .total = 4}, 0, 80), "x 100 %  4 bytes of 4 bytes");
}

TEST(TensorText, ShapesAndMatches) {
  EXPECT_EQ(shape_text(std::vector<uint64_t>{4096, 32}), "[4096, 32]");
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_EQ(base_label(0, 1), "base");
  EXPECT_EQ(base_label(1, 2), "base 2");
  EXPECT_EQ(match_text("same", {.base_tensor = "w"}, "w", 1), "same");
  EXPECT_EQ(match_text("renamed+cast", {.base_tensor = "v"}, "w", 1), "renamed+cast from v");
  EXPECT_EQ(match_text("same", {.base_tensor = "w", .base = 1}, "w", 2), "same (base 2)");
  EXPECT_EQ(match_text("none", {}, "w", 2), "none");
  EXPECT_EQ(match_text("same", {"w", 1, "w", 0}, "w", 2), "same (base 2) + (base 1)");
  EXPECT_EQ(match_text("renamed", {"u", 0, "v", 1}, "w", 2),
            "renamed from u (base 1) + v (base 2)");
}

TEST(Sparkline, HeightsAreShares) {
  EXPECT_EQ(sparkline({}, true), "");
  const std::vector<uint64_t> counts = {800, 0, 1, 100, 101, 400, 799};
  EXPECT_EQ(sparkline(counts, true), "\u2588 \u2581\u2581\u2582\u2584\u2588");
  EXPECT_EQ(sparkline(counts, false), "8011248");
  EXPECT_EQ(sparkline(std::vector<uint64_t>{0, 0}, false), "00");
  EXPECT_EQ(sparkline(std::vector<uint64_t>{kMost, kMost / 2, 1}, false), "841");
}

TEST(Sparkline, LocalesOfUtf8) {
  for (const char* name : {"C.UTF-8", "de_DE.utf8", "en_US.UTF8", "ca_ES.UTF-8@valencia"}) {
    EXPECT_TRUE(is_utf8_locale(name)) << name;
  }
  for (const char* name : {"", "C", "POSIX", "de_DE", "de_DE.ISO-8859-1", "UTF-8", "x.utf80"}) {
    EXPECT_FALSE(is_utf8_locale(name)) << name;
  }
}

}  // namespace
}  // namespace finedelta::cli
