// Archives as they were written once: what every later version must still read. make.py writes them
// and what they were made of; docs/format.md takes the one called example apart.
#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "coder/coder.h"
#include "finedelta/finedelta.h"
#include "predict/prediction.h"
#include "roundtrip/tree.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

namespace fs = std::filesystem;

struct Golden {
  std::vector<std::string> bases;
  fs::path fine_tune;
  std::vector<fs::path> archives;
};

Golden golden_in(const fs::path& folder) {
  Golden golden;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("base")) golden.bases.push_back(entry.path().string());
    if (name.starts_with("fine-tune")) golden.fine_tune = entry.path();
    if (name.ends_with(".fd")) golden.archives.push_back(entry.path());
  }
  std::ranges::sort(golden.bases);
  std::ranges::sort(golden.archives);
  return golden;
}

std::vector<Golden> all_golden() {
  std::vector<Golden> all;
  for (const auto& entry : fs::directory_iterator(FINEDELTA_TEST_SOURCES "/golden")) {
    if (!entry.is_directory()) continue;
    Golden golden = golden_in(entry.path());
    if (!golden.archives.empty()) all.push_back(std::move(golden));
  }
  return all;
}

ArchiveSummary summary_of(const fs::path& archive) {
  auto summary = inspect(archive.string());
  EXPECT_EQ(error_text(summary), "no error");
  return summary.value_or(ArchiveSummary{});
}

// Copies the fine-tune into `folder`, with the empty directories, of which git keeps none.
fs::path copy_fine_tune(const Golden& golden, const fs::path& folder) {
  const fs::path copy = folder / golden.fine_tune.filename();
  fs::create_directories(folder);
  fs::copy(golden.fine_tune, copy, fs::copy_options::recursive);
  for (const FileSummary& file : summary_of(golden.archives.at(0)).files) {
    if (file.kind == "directory") fs::create_directories(copy / file.path);
  }
  return copy;
}

// Of a lossy archive, and of a first layer, without the shards: their SHA-256 vouches for what
// comes out.
Tree what_must_come_out(const Golden& golden, const fs::path& top, unsigned layers) {
  Tree tree = read_tree(top);
  const ArchiveSummary summary = summary_of(golden.archives.at(0));
  if (!summary.lossy && (layers != 1 || !summary.progressive)) return tree;
  for (const FileSummary& file : summary.files) {
    if (file.kind != "shard") continue;
    const std::string root = summary.single_file ? "" : golden.fine_tune.filename().string() + "/";
    EXPECT_EQ(tree.erase(root + file.path), 1u) << file.path;
  }
  return tree;
}

// So many layers of an archive; 0: all.
void expect_unpacks(const Golden& golden, const fs::path& archive, unsigned layers) {
  const TempDir dir;
  const fs::path wanted = copy_fine_tune(golden, dir.path("wanted"));
  fs::create_directory(dir.path("out"));
  UnpackOptions options;
  options.sha256 = true;
  options.layers = layers;
  const auto unpacked = unpack(golden.bases, archive.string(),
                               dir.path("out/" + wanted.filename().string()), options);
  EXPECT_EQ(error_text(unpacked), "no error");
  EXPECT_EQ(difference(what_must_come_out(golden, dir.path("wanted"), layers),
                       what_must_come_out(golden, dir.path("out"), layers)),
            "");
}

class GoldenTest : public OnEveryTarget {};

TEST_P(GoldenTest, ArchivesUnpack) {
  const std::vector<Golden> all = all_golden();
  EXPECT_GE(all.size(), 14u);
  for (const Golden& golden : all) {
    for (const fs::path& archive : golden.archives) {
      SCOPED_TRACE(archive);
      for (const unsigned layers : {0, 1}) expect_unpacks(golden, archive, layers);
      EXPECT_EQ(error_text(verify(archive.string(), golden.bases)), "no error");
    }
  }
}

FINEDELTA_ON_EVERY_TARGET(GoldenTest);

bool has_low_rank(const ArchiveSummary& summary) {
  return std::ranges::any_of(summary.tensors, [](const TensorSummary& tensor) {
    return tensor.predictor == predictor_name(Predictor::kLowRank);
  });
}

// A change of what pack writes that is meant: make.py adds the new archives.
TEST(Golden, PackStillWritesThem) {
  if (std::string(ZSTD_versionString()) != "1.5.4") {
    GTEST_SKIP() << "made with zstd 1.5.4; this is " << ZSTD_versionString();
  }
  for (const Golden& golden : all_golden()) {
    // Other machines may find slightly other factors.
    if (has_low_rank(summary_of(golden.archives.at(0)))) continue;
    SCOPED_TRACE(golden.fine_tune);
    const TempDir dir;
    const std::string fine_tune = copy_fine_tune(golden, dir.path("copy")).string();
    const std::string archive = dir.path("archive");
    PackOptions options;
    if (golden.fine_tune.parent_path().filename() == "sparse") options.level = 1;  // as make.py
    EXPECT_EQ(error_text(pack(golden.bases, fine_tune, archive, options)), "no error");
    const std::string written = read_file(archive);
    EXPECT_TRUE(std::ranges::any_of(
        golden.archives, [&](const fs::path& known) { return read_file(known) == written; }));
  }
}

TEST(Golden, EveryCoderAndPredictorOccurs) {
  std::set<std::string> coders_used;
  std::set<std::string> predictors_used;
  for (const Golden& golden : all_golden()) {
    const ArchiveSummary summary = summary_of(golden.archives.at(0));
    for (const TensorSummary& tensor : summary.tensors) {
      predictors_used.insert(tensor.predictor);
      for (const CoderUse& use : tensor.coders) coders_used.insert(use.coder);
    }
  }
  for (const Coder& coder : coders())
    EXPECT_TRUE(coders_used.contains(std::string(coder.name))) << coder.name;
  EXPECT_EQ(predictors_used.size(), kPredictorCount);
}

}  // namespace
}  // namespace finedelta
