// Side files: embedded, stored, patched or only referred to, and always back byte for byte.

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr size_t kMiB = size_t{1} << 20;

class RoundtripSideFiles : public Roundtrip {
 protected:
  RoundtripSideFiles() {
    dir_.make_directory("base");
    dir_.make_directory("tuned");
  }

  // Text that compresses, but not to nothing.
  static std::string text(size_t size, uint64_t seed) {
    std::string out = noise(size, seed);
    for (char& letter : out) letter = static_cast<char>('a' + (letter & 15));
    return out;
  }

  ArchiveSummary roundtrip_dirs() { return roundtrip({dir_.path("base")}, dir_.path("tuned")); }

  // Stores `newer` where the base has `older`, and returns how and in how many bytes.
  std::pair<std::string, uint64_t> store(const std::string& older, const std::string& newer) {
    dir_.write("base/tokenizer.json", older);
    dir_.write("tuned/tokenizer.json", newer);
    const ArchiveSummary summary = roundtrip_dirs();
    return {kinds(summary)["tokenizer.json"], summary.side_bytes};
  }
};

TEST_F(RoundtripSideFiles, EqualOnesAreReferences) {
  const std::string content = text(100000, 1);
  EXPECT_EQ(store(content, content), std::pair(std::string("reference"), uint64_t{0}));
}

TEST_F(RoundtripSideFiles, EqualOnesOfManyMegabytesAreReferences) {
  const std::string content = noise(33 * kMiB, 1);
  EXPECT_EQ(store(content, content), std::pair(std::string("reference"), uint64_t{0}));
}

TEST_F(RoundtripSideFiles, ChangedOnesArePatches) {
  const std::string older = text(3 * kMiB + 12345, 1);
  const std::string added = text(1000, 2);
  std::vector<std::string> changed = {added + older, older + added};
  changed.push_back(std::string(older).insert(older.size() / 2, added));
  changed.push_back(std::string(older).erase(1000, 5000));
  changed.push_back(std::string(older).replace(2 * kMiB, 10, "0123456789"));
  for (const std::string& newer : changed) {
    const auto [kind, bytes] = store(older, newer);
    EXPECT_EQ(kind, "patch");
    EXPECT_LT(bytes, 2000u);
  }
}

TEST_F(RoundtripSideFiles, AFileThatGrewByMegabytesIsAPatchOfItsStart) {
  const std::string older = text(2 * kMiB, 1);
  const auto [kind, bytes] = store(older, older + text(3 * kMiB / 2, 2));
  EXPECT_EQ(kind, "patch");
  EXPECT_LT(bytes, kMiB);
}

TEST_F(RoundtripSideFiles, AFileThatShrankByMegabytes) {
  const std::string older = text(4 * kMiB, 1);
  const auto [kind, bytes] = store(older, older.substr(0, kMiB));
  EXPECT_EQ(kind, "patch");
  EXPECT_LT(bytes, 1000u);
}

TEST_F(RoundtripSideFiles, AnythingOver32MiBIsNotPatched) {
  const std::string older(32 * kMiB, 'x');
  EXPECT_EQ(store(older, older + 'y').first, "stored");
  EXPECT_EQ(store(older + 'y', older).first, "stored");
  EXPECT_EQ(store(older, older.substr(1) + 'y').first, "patch");
}

TEST_F(RoundtripSideFiles, AFileThatTheBaseHasEmptyIsStored) {
  EXPECT_EQ(store("", text(20000, 1)).first, "stored");
}

TEST_F(RoundtripSideFiles, AFileThatTheBaseLacksIsStored) {
  dir_.write("base/elsewhere/tokenizer.json", text(20000, 1));
  dir_.write("tuned/tokenizer.json", text(20000, 1));
  EXPECT_THAT(kinds(roundtrip_dirs()), ElementsAre(Pair("tokenizer.json", "stored")));
}

TEST_F(RoundtripSideFiles, SmallOnesAreEmbeddedWhateverTheBaseHas) {
  for (const size_t size : {16383, 16384}) {
    dir_.write("base/" + std::to_string(size), text(size, size));
    dir_.write("tuned/" + std::to_string(size), text(size, size));
  }
  EXPECT_THAT(kinds(roundtrip_dirs()),
              ElementsAre(Pair("16383", "embedded"), Pair("16384", "reference")));
}

TEST_F(RoundtripSideFiles, ManySmallOnesOverSeveralChunks) {
  for (size_t i = 0; i < 150; ++i) {
    dir_.write("tuned/" + std::to_string(i), text(16383 - i % 7 * 1000, i));
  }
  const ArchiveSummary summary = roundtrip_dirs();
  EXPECT_EQ(summary.files.size(), 150u);
  for (const FileSummary& file : summary.files) EXPECT_EQ(file.kind, "embedded");
  EXPECT_GT(summary.input_bytes, 3 * kMiB / 2);
  EXPECT_LT(summary.side_bytes, summary.input_bytes * 6 / 10);
}

TEST_F(RoundtripSideFiles, SmallOnesThatFillAChunkExactly) {
  for (size_t i = 0; i < 128; ++i) dir_.write("tuned/" + std::to_string(i), noise(8192, i));
  EXPECT_EQ(roundtrip_dirs().input_bytes, kMiB);
}

TEST_F(RoundtripSideFiles, NoiseIsStoredAsItIs) {
  for (const size_t size : {16384, 20000}) {
    dir_.write("tuned/large" + std::to_string(size), noise(size, size));
  }
  dir_.write("tuned/small", noise(100, 1));
  const ArchiveSummary summary = roundtrip_dirs();
  EXPECT_EQ(summary.side_bytes, 16384u + 20000u + 100u);
  EXPECT_EQ(store(noise(100000, 1), noise(100000, 2)).first, "patch");
}

TEST_F(RoundtripSideFiles, SizesAroundAChunk) {
  for (const size_t size : {kMiB - 1, kMiB, kMiB + 1, 2 * kMiB}) {
    dir_.write("base/patched" + std::to_string(size), text(size, size) + "older");
    dir_.write("tuned/patched" + std::to_string(size), text(size, size));
    dir_.write("tuned/stored" + std::to_string(size), text(size, size));
  }
  const auto by_path = kinds(roundtrip_dirs());
  ASSERT_EQ(by_path.size(), 8u);
  for (const auto& [path, kind] : by_path) EXPECT_TRUE(path.starts_with(kind)) << path << kind;
}

}  // namespace
}  // namespace finedelta
