// What the round-trip tests share: pack, inspect, verify, unpack, compare.
#ifndef FINEDELTA_TESTS_ROUNDTRIP_ROUNDTRIP_H_
#define FINEDELTA_TESTS_ROUNDTRIP_ROUNDTRIP_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "finedelta/finedelta.h"
#include "roundtrip/tree.h"
#include "roundtrip/weights.h"
#include "support/error_text.h"
#include "support/scoped_env.h"
#include "support/temp_dir.h"

namespace finedelta {

// What each tensor was coded against: "same", "none", "renamed from NAME", ...
inline std::map<std::string, std::string> matches(const ArchiveSummary& summary) {
  std::map<std::string, std::string> out;
  for (const TensorSummary& tensor : summary.tensors) {
    std::string& text = out[tensor.name] = tensor.match;
    if (tensor.match != "none" && tensor.base_tensor != tensor.name) {
      text += " from " + tensor.base_tensor;
    }
  }
  return out;
}

// The predictor of each tensor, in order of the archive.
inline std::vector<std::string> predictors(const ArchiveSummary& summary) {
  std::vector<std::string> out;
  for (const TensorSummary& tensor : summary.tensors) out.push_back(tensor.predictor);
  return out;
}

// How each file is stored.
inline std::map<std::string, std::string> kinds(const ArchiveSummary& summary) {
  std::map<std::string, std::string> out;
  for (const FileSummary& file : summary.files) out[file.path] = file.kind;
  return out;
}

class Roundtrip : public testing::Test {
 protected:
  Roundtrip() {
    options_.threads = 2;
    options_.note = [this](std::string_view note) { notes_.emplace_back(note); };
  }

  // A file with these tensors, at a path relative to the test's directory; its absolute path.
  [[nodiscard]] std::string write_shard(const std::string& path,
                                        const std::vector<TestTensor>& tensors) const {
    return dir_.write(path, make_safetensors(tensors));
  }

  // Packs to `archive_`.
  [[nodiscard]] Result<PackReport> try_pack(const std::vector<std::string>& bases,
                                            const std::string& fine_tune) {
    notes_.clear();
    options_.force = true;
    return pack(bases, fine_tune, archive_, options_);
  }

  // The same, and what the archive then holds; nothing where it failed, which fails the test.
  ArchiveSummary pack_to_archive(const std::vector<std::string>& bases,
                                 const std::string& fine_tune) {
    const auto report = try_pack(bases, fine_tune);
    EXPECT_EQ(error_text(report), "no error");
    if (!report) return {};
    const auto summary = inspect(archive_);
    EXPECT_EQ(error_text(summary), "no error");
    if (!summary) return {};
    EXPECT_EQ(summary->archive_bytes, report->archive_bytes);
    EXPECT_EQ(summary->archive_bytes, std::filesystem::file_size(archive_));
    return *summary;
  }

  // Packs, verifies and unpacks: every byte of `fine_tune` must come back. Returns what the archive
  // holds.
  ArchiveSummary roundtrip(const std::vector<std::string>& bases, const std::string& fine_tune) {
    ArchiveSummary summary = pack_to_archive(bases, fine_tune);
    expect_unpacks(bases, fine_tune);
    return summary;
  }

  // Verifies `archive_` with these bases and unpacks it: `fine_tune` must come out.
  void expect_unpacks(const std::vector<std::string>& bases, const std::string& fine_tune) {
    const auto verified = verify(archive_, bases, options_);
    EXPECT_EQ(error_text(verified), "no error");
    const std::string output = dir_.path("out");
    UnpackOptions options;
    options.threads = 2;
    options.sha256 = true;
    options.force = true;
    const auto unpacked = unpack(bases, archive_, output, options);
    ASSERT_EQ(error_text(unpacked), "no error");
    expect_equal(fine_tune, output);
    std::filesystem::remove_all(output);
  }

  static void expect_equal(const std::string& expected, const std::string& actual) {
    if (std::filesystem::is_directory(expected)) {
      EXPECT_EQ(difference(read_tree(expected), read_tree(actual)), "");
    } else {
      EXPECT_TRUE(read_file(expected) == read_file(actual)) << actual << " differs";
    }
  }

  // Neither unpack nor verify takes these bases; nothing appears.
  void expect_wrong_base(const std::vector<std::string>& bases, const std::string& message) {
    const std::string output = dir_.path("wrong");
    EXPECT_EQ(error_text(unpack(bases, archive_, output)), "wrong base: " + message);
    EXPECT_FALSE(std::filesystem::exists(output));
    EXPECT_EQ(error_text(verify(archive_, bases)), "wrong base: " + message);
  }

  // Names in the test's directory, temporary ones too: to see that nothing is left behind.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      out.push_back(entry.path().filename());
    }
    std::ranges::sort(out);
    return out;
  }

  TempDir dir_;
  ScopedEnv no_cache_{"HF_HUB_CACHE", dir_.path("no cache").c_str()};
  std::string archive_ = dir_.path("archive.finedelta");
  PackOptions options_;
  std::vector<std::string> notes_;
};

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_ROUNDTRIP_ROUNDTRIP_H_
