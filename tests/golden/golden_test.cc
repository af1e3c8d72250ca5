// The archive that docs/format.md takes apart: what pack writes today, and what every later version
// must still read.
#include <gtest/gtest.h>
#include <zstd.h>

#include <string>

#include "base/file.h"
#include "finedelta/finedelta.h"
#include "support/temp_dir.h"

namespace finedelta {
namespace {

const std::string kExample = std::string(FINEDELTA_TEST_SOURCES) + "/golden/example/";

std::string content(const std::string& path) {
  const auto text = read_small_file(path, 1 << 20);
  EXPECT_TRUE(text.has_value()) << path;
  return text.value_or("");
}

TEST(Golden, TheExampleUnpacks) {
  const TempDir dir;
  const std::string output = dir.path("out.safetensors");
  ASSERT_TRUE(unpack({kExample + "base.safetensors"}, kExample + "0.1.0.fd", output));
  EXPECT_EQ(content(output), content(kExample + "fine-tune.safetensors"));
}

TEST(Golden, PackStillWritesTheExample) {
  if (std::string(ZSTD_versionString()) != "1.5.4") {
    GTEST_SKIP() << "made with zstd 1.5.4; this is " << ZSTD_versionString();
  }
  const TempDir dir;
  const std::string archive = dir.path("archive");
  ASSERT_TRUE(pack({kExample + "base.safetensors"}, kExample + "fine-tune.safetensors", archive));
  EXPECT_EQ(content(archive), content(kExample + "0.1.0.fd"));
}

}  // namespace
}  // namespace finedelta
