// Reading tensors, or rows of them, out of an archive.

#include <thread>

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

constexpr uint64_t kColumns = 64;
constexpr uint64_t kRowsPerChunk = (uint64_t{1} << 18) / kColumns;
constexpr uint64_t kRows = 2 * kRowsPerChunk + 100;

class RoundtripExtract : public Roundtrip {
 protected:
  RoundtripExtract() { summary_ = pack_to_archive({base_}, fine_tune_); }

  ExtractReport extract_ok(const std::vector<std::string>& selections) {
    ExtractOptions options;
    options.force = true;
    options.threads = 2;
    const auto report = extract({base_}, archive_, selections, output_, options);
    EXPECT_EQ(error_text(report), "no error");
    return report ? *report : ExtractReport{};
  }

  std::string extract_error(const std::vector<std::string>& selections) {
    const std::string text = error_text(extract({base_}, archive_, selections, output_));
    EXPECT_FALSE(std::filesystem::exists(output_));
    return text;
  }

  // Rows of `w_`, as the file that `extract` makes of them.
  std::string rows_file(uint64_t start, uint64_t stop) const {
    const uint64_t row = kColumns * 2;
    return make_safetensors({{"w",
                              DType::kBF16,
                              {stop - start, kColumns},
                              w_.bytes.substr(start * row, (stop - start) * row)}},
                            R"({"format":"pt"})");
  }

  const std::vector<TestTensor> older_ = {
      make_tensor("w", DType::kBF16, {kRows, kColumns}, 1),
      make_tensor("f4", DType::kF4, {6, 3}, 2), make_tensor("scalar", DType::kF32, {}, 3),
      make_tensor("x", DType::kU8, {4, 1000}, 4), make_tensor("x[0:1]", DType::kU8, {2, 1000}, 5)};
  const std::vector<TestTensor> newer_ = tuned(older_);
  const TestTensor& w_ = newer_[0];
  const std::string base_ = write_shard("base.safetensors", older_);
  const std::string fine_tune_ = write_shard("tuned.safetensors", newer_);
  const std::string output_ = dir_.path("out.safetensors");
  ArchiveSummary summary_;
};

TEST_F(RoundtripExtract, WholeTensorsInTheReferencesOrder) {
  const auto report = extract_ok({"x", "scalar", "w", "f4"});
  EXPECT_EQ(report.tensors, 4u);
  EXPECT_EQ(report.bytes, w_.bytes.size() + 9 + 4 + 4000);
  // Wide types first, then by name.
  EXPECT_TRUE(read_file(output_) ==
              make_safetensors({newer_[2], w_, newer_[3], newer_[1]}, R"({"format":"pt"})"));
}

TEST_F(RoundtripExtract, RowsAtTheBordersOfChunks) {
  const std::pair<uint64_t, uint64_t> ranges[] = {{0, 1},
                                                  {0, kRowsPerChunk},
                                                  {kRowsPerChunk - 1, kRowsPerChunk},
                                                  {kRowsPerChunk, kRowsPerChunk + 1},
                                                  {kRowsPerChunk - 1, kRowsPerChunk + 1},
                                                  {kRowsPerChunk - 1, 2 * kRowsPerChunk + 1},
                                                  {kRows - 1, kRows},
                                                  {0, kRows},
                                                  {5, 5},
                                                  {kRows, kRows}};
  for (const auto& [start, stop] : ranges) {
    const std::string selection = "w[" + std::to_string(start) + ":" + std::to_string(stop) + "]";
    SCOPED_TRACE(selection);
    (void)extract_ok({selection});
    EXPECT_TRUE(read_file(output_) == rows_file(start, stop));
  }
}

TEST_F(RoundtripExtract, OpenRanges) {
  (void)extract_ok({"w[:10]"});
  EXPECT_TRUE(read_file(output_) == rows_file(0, 10));
  (void)extract_ok({"w[8000:]"});
  EXPECT_TRUE(read_file(output_) == rows_file(8000, kRows));
  (void)extract_ok({"w[:]"});
  EXPECT_TRUE(read_file(output_) == rows_file(0, kRows));
}

TEST_F(RoundtripExtract, RowsThatAreNotWholeBytes) {
  EXPECT_EQ(extract_error({"f4[0:2]"}),
            "usage: a row of tensor 'f4' is not a whole number of bytes");
}

TEST_F(RoundtripExtract, ATensorWhoseNameLooksLikeASelection) {
  (void)extract_ok({"x[0:1]"});
  EXPECT_TRUE(read_file(output_) == make_safetensors({newer_[4]}, R"({"format":"pt"})"));
  (void)extract_ok({"x[0:1][1:2]", "x[0:2]"});
  const TestTensor rows{"x", DType::kU8, {2, 1000}, newer_[3].bytes.substr(0, 2000)};
  const TestTensor row{"x[0:1]", DType::kU8, {1, 1000}, newer_[4].bytes.substr(1000)};
  EXPECT_TRUE(read_file(output_) == make_safetensors({rows, row}, R"({"format":"pt"})"));
}

TEST_F(RoundtripExtract, ErrorsNameWhatIsWrong) {
  EXPECT_EQ(extract_error({"nothing"}), "usage: the archive has no tensor 'nothing'");
  EXPECT_EQ(extract_error({"nothing[0:1]"}), "usage: the archive has no tensor 'nothing'");
  EXPECT_EQ(extract_error({"w[0]"}), "usage: the archive has no tensor 'w[0]'");
  const std::string range = " is not a range of rows START:STOP within 0:" + std::to_string(kRows);
  EXPECT_EQ(extract_error({"w[2:1]"}), "usage: 'w[2:1]'" + range);
  EXPECT_EQ(extract_error({"w[0:9999999]"}), "usage: 'w[0:9999999]'" + range);
  EXPECT_EQ(extract_error({"w[-1:2]"}), "usage: 'w[-1:2]'" + range);
  EXPECT_EQ(extract_error({"w[0:99999999999999999999]"}),
            "usage: 'w[0:99999999999999999999]'" + range);
  EXPECT_EQ(extract_error({"w[a:b]"}), "usage: 'w[a:b]'" + range);
  EXPECT_EQ(extract_error({"scalar[0:1]"}),
            "usage: tensor 'scalar' is a scalar, which has no rows to select");
  EXPECT_EQ(extract_error({"w", "w[0:1]"}), "usage: tensor 'w' is selected twice");
  (void)extract_ok({"scalar"});
  EXPECT_EQ(error_text(extract({base_}, archive_, {"scalar"}, output_)),
            "usage: '" + output_ + "' exists already; use --force to replace it");
}

TEST_F(RoundtripExtract, ReadsNoMoreThanItNeeds) {
  const uint64_t overhead = 512 + summary_.index_bytes;
  const uint64_t chunk = (uint64_t{1} << 18) * 2;
  const auto one = extract_ok({"w[0:1]"});
  EXPECT_EQ(one.base_bytes_read, chunk);
  EXPECT_GT(one.archive_bytes_read, overhead);
  EXPECT_LT(one.archive_bytes_read, overhead + chunk / 2);
  const auto two = extract_ok(
      {"w[" + std::to_string(kRowsPerChunk - 1) + ":" + std::to_string(kRowsPerChunk + 1) + "]"});
  EXPECT_EQ(two.base_bytes_read, 2 * chunk);
  const auto whole = extract_ok({"w"});
  EXPECT_EQ(whole.base_bytes_read, w_.bytes.size());
  EXPECT_EQ(whole.archive_bytes_read, overhead + summary_.tensors[0].stored_bytes);
  const auto none = extract_ok({"w[7:7]"});
  EXPECT_EQ(none.base_bytes_read, 0u);
  EXPECT_EQ(none.archive_bytes_read, overhead);
}

TEST_F(RoundtripExtract, ABaseIsOnlyNeededForWhatIsCodedAgainstIt) {
  EXPECT_EQ(error_text(extract({}, archive_, {"scalar"}, output_)), "no error");
  EXPECT_EQ(error_text(extract({}, archive_, {"w"}, dir_.path("w.safetensors"))),
            "failure: the base is needed, and it is not in the local Hugging Face cache; give its "
            "path");
}

TEST_F(RoundtripExtract, FromManyThreads) {
  const auto reader = ArchiveReader::open(archive_, {base_});
  ASSERT_EQ(error_text(reader), "no error");
  const size_t place = *reader->find("w");
  std::vector<std::string> read(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& to : read) {
      threads.emplace_back([&] {
        to.resize(w_.bytes.size());
        constexpr size_t kStep = 100000;
        for (size_t at = 0; at < to.size(); at += kStep) {
          const auto part = std::span(to).subspan(at, std::min(kStep, to.size() - at));
          if (!reader->read(place, at, std::as_writable_bytes(part))) to.clear();
        }
      });
    }
  }
  for (const std::string& bytes : read) EXPECT_TRUE(bytes == w_.bytes);
}

TEST_F(RoundtripExtract, SeveralReadsAtOnce) {
  for (const unsigned threads : {1u, 3u}) {
    ReadOptions options;
    options.threads = threads;
    Progress last;
    options.progress = [&](const Progress& progress) { last = progress; };
    const auto reader = ArchiveReader::open(archive_, {base_}, options);
    ASSERT_EQ(error_text(reader), "no error");
    const size_t w = *reader->find("w");
    const size_t f4 = *reader->find("f4");
    // Some of its first chunk, all of its second, some of its last.
    const uint64_t chunk = kRowsPerChunk * kColumns * 2;
    std::string middle(2 * chunk, ' ');
    std::string whole(w_.bytes.size(), ' ');
    std::string small(newer_[1].bytes.size(), ' ');
    const std::vector<TensorRead> reads{
        {.tensor = w, .first = 100, .to = std::as_writable_bytes(std::span(middle))},
        {.tensor = w, .first = w_.bytes.size(), .to = {}},
        {.tensor = f4, .first = 0, .to = std::as_writable_bytes(std::span(small))},
        {.tensor = w, .first = 0, .to = std::as_writable_bytes(std::span(whole))}};
    EXPECT_EQ(error_text(reader->read(reads)), "no error");
    EXPECT_TRUE(middle == w_.bytes.substr(100, middle.size()));
    EXPECT_TRUE(whole == w_.bytes);
    EXPECT_TRUE(small == newer_[1].bytes);
    EXPECT_EQ(last.total, middle.size() + whole.size() + small.size());
    EXPECT_EQ(last.done, last.total);
    EXPECT_EQ(error_text(reader->read(std::span<const TensorRead>{})), "no error");
    const std::vector<TensorRead> outside{
        {.tensor = f4, .first = 1, .to = std::as_writable_bytes(std::span(small))}};
    EXPECT_EQ(error_text(reader->read(outside)),
              "usage: tensor 'f4' has 9 bytes; 9 bytes at 1 are not all inside");
  }
}

TEST_F(RoundtripExtract, SeveralReadsCanBeCancelled) {
  Cancellation cancellation;
  ReadOptions options;
  options.cancel = &cancellation;
  const auto reader = ArchiveReader::open(archive_, {base_}, options);
  ASSERT_EQ(error_text(reader), "no error");
  cancellation.cancel();
  std::string small(newer_[1].bytes.size(), ' ');
  const std::vector<TensorRead> reads{
      {.tensor = *reader->find("f4"), .first = 0, .to = std::as_writable_bytes(std::span(small))}};
  EXPECT_EQ(error_text(reader->read(reads)), "cancelled: interrupted");
}

TEST_F(RoundtripExtract, MetadataOfShards) {
  const std::string metadata = R"({"format":"pt","step":"7 \u00e9"})";
  const std::string plain = make_safetensors({w_}, metadata);
  // White space that the reference implementation would not write.
  std::string spaced = plain;
  const uint64_t length = spaced[0] + (uint64_t{static_cast<unsigned char>(spaced[1])} << 8);
  ASSERT_EQ(spaced[8 + length - 1], ' ');
  spaced.erase(8 + length - 1, 1).insert(9, " ");
  for (const std::string& contents : {plain, spaced}) {
    dir_.write("tuned.safetensors", contents);
    const ArchiveSummary summary = pack_to_archive({base_}, dir_.path("tuned.safetensors"));
    EXPECT_EQ(summary.files.at(0).metadata, metadata);
  }
  EXPECT_EQ(summary_.files.at(0).metadata, "");
}

TEST_F(RoundtripExtract, ReadingOutsideATensor) {
  const auto reader = ArchiveReader::open(archive_, {base_});
  ASSERT_EQ(error_text(reader), "no error");
  EXPECT_EQ(reader->tensors().size(), newer_.size());
  EXPECT_EQ(reader->find("nothing"), std::nullopt);
  std::vector<std::byte> five(5);
  const size_t scalar = *reader->find("scalar");
  EXPECT_EQ(error_text(reader->read(scalar, 0, five)),
            "usage: tensor 'scalar' has 4 bytes; 5 bytes at 0 are not all inside");
  EXPECT_EQ(error_text(reader->read(scalar, UINT64_MAX, std::span(five).first(1))),
            "usage: tensor 'scalar' has 4 bytes; 1 bytes at 18446744073709551615 are not all "
            "inside");
  EXPECT_EQ(error_text(reader->read(5, 0, five)), "usage: the archive has no tensor number 5");
  EXPECT_EQ(error_text(reader->read(scalar, 4, {})), "no error");
}

}  // namespace
}  // namespace finedelta
