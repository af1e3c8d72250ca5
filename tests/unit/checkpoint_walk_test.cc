#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "checkpoint/walk.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace finedelta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WalkTest : public ::testing::Test {
 protected:
  // "PATH KIND SIZE" for each entry, with an 'x' behind the executable ones.
  std::vector<std::string> walk(bool all = false) {
    const auto entries = run(all);
    EXPECT_EQ(error_text(entries), "no error");
    std::vector<std::string> lines;
    for (const Entry& entry : entries.value_or(std::vector<Entry>{})) {
      const char* kind = entry.kind == EntryKind::kShard      ? " shard "
                         : entry.kind == EntryKind::kSideFile ? " side "
                                                              : " empty ";
      lines.push_back(entry.path + kind + std::to_string(entry.size) +
                      (entry.executable ? " x" : ""));
    }
    return lines;
  }

  Result<std::vector<Entry>> run(bool all = false) {
    return walk_directory(dir_.path("model"),
                          {.storage = dir_.path("model"),
                           .all = all,
                           .note = [this](std::string_view note) { notes_.emplace_back(note); }});
  }

  std::string error() { return error_text(run()); }
  std::string shown(std::string_view path) { return quote(dir_.path(path)); }

  TempDir dir_;
  std::vector<std::string> notes_;
};

TEST_F(WalkTest, FilesAndEmptyDirectoriesComeSortedBytewiseByPath) {
  dir_.write("model/b.safetensors", "12345");
  dir_.write("model/a/z.safetensors", "");
  dir_.write("model/a-b", "1");
  dir_.write("model/a.json", "12");
  dir_.write("model/B.txt", "");
  dir_.make_directory("model/a/hollow/deep");
  EXPECT_THAT(walk(),
              ElementsAre("B.txt side 0", "a-b side 1", "a.json side 2", "a/hollow/deep empty 0",
                          "a/z.safetensors shard 0", "b.safetensors shard 5"));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(WalkTest, AnEmptyTopHasNoEntries) {
  dir_.make_directory("model");
  EXPECT_THAT(walk(), IsEmpty());
}

TEST_F(WalkTest, TheSourceIsWhereTheBytesAre) {
  dir_.write("model/real.json", "{}");
  dir_.link("model/sub/linked.json", "../real.json");
  const auto entries = run();
  ASSERT_EQ(error_text(entries), "no error");
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].source, dir_.path("model/real.json"));
  EXPECT_EQ((*entries)[1].path, "sub/linked.json");
  EXPECT_EQ((*entries)[1].source, dir_.path("model/real.json"));
  EXPECT_EQ((*entries)[1].size, 2u);
}

TEST_F(WalkTest, OnlyTheOwnersExecutableBitCounts) {
  using std::filesystem::perms;
  std::filesystem::permissions(dir_.write("model/owner", ""),
                               perms::owner_read | perms::owner_exec);
  std::filesystem::permissions(dir_.write("model/others", ""),
                               perms::owner_read | perms::group_exec | perms::others_exec);
  dir_.link("model/to_owner", "owner");
  EXPECT_THAT(walk(), ElementsAre("others side 0", "owner side 0 x", "to_owner side 0 x"));
}

TEST_F(WalkTest, GitAndDownloadRecordsAreSkippedAtTheTopOnly) {
  dir_.write("model/.git/config", "");
  dir_.write("model/.gitattributes", "");
  dir_.write("model/.cache/huggingface/download/x.lock", "");
  dir_.write("model/.cache/other/x", "");
  dir_.write("model/sub/.git/config", "");
  dir_.write("model/sub/.cache/huggingface/x", "");
  dir_.write("model/x.incomplete", "");
  EXPECT_THAT(walk(), ElementsAre(".cache/other/x side 0", ".gitattributes side 0",
                                  "sub/.cache/huggingface/x side 0", "sub/.git/config side 0",
                                  "x.incomplete side 0"));
  EXPECT_THAT(notes_, ElementsAre("'.git' is skipped; --all keeps it",
                                  "'.cache/huggingface' is skipped; --all keeps it"));
}

TEST_F(WalkTest, AllKeepsWhatIsSkippedOtherwise) {
  dir_.write("model/.git/config", "");
  dir_.write("model/.cache/huggingface/x", "");
  EXPECT_THAT(walk(true), ElementsAre(".cache/huggingface/x side 0", ".git/config side 0"));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(WalkTest, AFolderOfSkippedThingsIsNotEmpty) {
  dir_.write("model/.cache/huggingface/x", "");
  EXPECT_THAT(walk(), IsEmpty());
}

TEST_F(WalkTest, AGitFileIsAFile) {
  dir_.write("model/.git", "gitdir: elsewhere");
  EXPECT_THAT(walk(), ElementsAre(".git side 17"));
}

TEST_F(WalkTest, NamesAreBytes) {
  dir_.write("model/\xff\xfe", "");
  dir_.write("model/a\nb\x1b[31m", "");
  dir_.write("model/caf\xc3\xa9", "");
  EXPECT_THAT(walk(), ElementsAre("a\nb\x1b[31m side 0", "caf\xc3\xa9 side 0", "\xff\xfe side 0"));
}

TEST_F(WalkTest, MessagesQuoteNames) {
  dir_.link("model/\xff\n", "nowhere\x1b");
  EXPECT_EQ(error(), "damaged: '" + dir_.path("model/\\xff\\x0a") +
                         "' is a symbolic link to 'nowhere\\x1b', which does not exist; restore "
                         "the file or remove the link");
}

TEST_F(WalkTest, ALinkOutOfTheModelIsRefused) {
  dir_.write("secret", "s");
  dir_.link("model/a.json", "../secret");
  EXPECT_EQ(error(), "damaged: " + shown("model/a.json") + " is a symbolic link to " +
                         shown("secret") +
                         ", outside the model's own folder; copy the file in its place");
}

TEST_F(WalkTest, AFolderWithTheSameBeginningIsOutside) {
  dir_.write("model2/file", "");
  dir_.link("model/a", dir_.path("model2/file"));
  EXPECT_EQ(error(), "damaged: " + shown("model/a") + " is a symbolic link to " +
                         shown("model2/file") +
                         ", outside the model's own folder; copy the file in its place");
}

TEST_F(WalkTest, ALinkThroughAnInnerLinkOutIsRefused) {
  dir_.write("secret", "s");
  dir_.link("hop", "secret");
  dir_.link("model/a", "../hop");
  EXPECT_EQ(error(), "damaged: " + shown("model/a") + " is a symbolic link to " + shown("secret") +
                         ", outside the model's own folder; copy the file in its place");
}

TEST_F(WalkTest, ADanglingLinkIsRefused) {
  dir_.link("model/a", "gone");
  EXPECT_EQ(error(), "damaged: " + shown("model/a") +
                         " is a symbolic link to 'gone', which does not exist; restore the file or "
                         "remove the link");
}

TEST_F(WalkTest, ALoopOfLinksIsRefused) {
  dir_.link("model/a", "b");
  dir_.link("model/b", "a");
  EXPECT_EQ(error(), "damaged: " + shown("model/a") +
                         " is a symbolic link to 'b', which leads round in a circle; remove the "
                         "link");
}

TEST_F(WalkTest, ALinkToADirectoryIsRefusedWhereverItLeads) {
  dir_.make_directory("model/sub");
  dir_.link("model/sub/up", "..");
  EXPECT_EQ(error(), "damaged: " + shown("model/sub/up") +
                         " is a symbolic link to the directory '..'; copy the directory in its "
                         "place");
}

TEST_F(WalkTest, AFifoIsRefusedWithoutWaitingForAWriter) {
  dir_.make_directory("model");
  ASSERT_EQ(mkfifo(dir_.path("model/pipe.safetensors").c_str(), 0600), 0);
  EXPECT_EQ(error(), "damaged: " + shown("model/pipe.safetensors") +
                         " is a FIFO, which a model can't contain; remove it");
}

TEST_F(WalkTest, ASocketIsRefused) {
  dir_.make_directory("model");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  dir_.path("model/s").copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(error(), "damaged: " + shown("model/s") +
                         " is a socket, which a model can't contain; remove it");
  close(fd);
}

TEST_F(WalkTest, ALinkToADeviceIsRefused) {
  dir_.link("model/zero", "/dev/zero");
  EXPECT_EQ(error(), "damaged: " + shown("model/zero") +
                         " is a symbolic link to '/dev/zero', which is a device; remove the link");
}

TEST_F(WalkTest, AnUnreadableDirectoryIsAFailure) {
  dir_.make_directory("model/sub");
  std::filesystem::permissions(dir_.path(), std::filesystem::perms::all);
  std::filesystem::permissions(dir_.path("model/sub"), std::filesystem::perms::none);
  const bool is_root = geteuid() == 0;
  if (is_root) {  // who may read everything: be nobody for a while
    ASSERT_EQ(seteuid(65534), 0);
  }
  const std::string text = error();
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  std::filesystem::permissions(dir_.path("model/sub"), std::filesystem::perms::owner_all);
  EXPECT_EQ(text,
            "failure: cannot open the directory " + shown("model/sub") + ": Permission denied");
}

TEST_F(WalkTest, DeepTreesEndWhereTheSystemsPathsEnd) {
  // Each level is entered from the one before: no path this long can be given to the system.
  dir_.make_directory("model");
  const std::string name(200, 'd');
  const int before = open(".", O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(chdir(dir_.path("model").c_str()), 0);
  for (int depth = 0; depth < 30; ++depth) {
    ASSERT_EQ(mkdir(name.c_str(), 0700), 0);
    ASSERT_EQ(chdir(name.c_str()), 0);
  }
  ASSERT_EQ(fchdir(before), 0);
  close(before);
  EXPECT_THAT(error(), ::testing::EndsWith("d...': File name too long"));
}

}  // namespace
}  // namespace finedelta
