// Writes the lying archives of tests/corrupt to FOLDER/files, one file each, and what the fuzzers
// start from to FOLDER/index and FOLDER/unpack:
//   make_corrupt_files FOLDER
// The files are committed, so that later readers are held against archives that earlier ones knew.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "corrupt/lies.h"

namespace {

using namespace finedelta::corrupt;

void write(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.exceptions(std::ios::failbit | std::ios::badbit);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.flush();
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const Lie& lie : all_lies()) write(folder / "files" / lie.name, lie.archive);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
