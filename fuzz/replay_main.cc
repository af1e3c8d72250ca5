// Stands in for libFuzzer: gives a fuzz target every file of the directories named as arguments.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// The number of files below `directory`, each given to the target.
size_t replay(const char* directory) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (!file) throw std::runtime_error("cannot read " + entry.path().string());
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) try {
  size_t total = 0;
  for (int i = 1; i < argc; ++i) {
    const size_t count = replay(argv[i]);
    if (count == 0) throw std::runtime_error(std::string("no files in ") + argv[i]);
    total += count;
  }
  if (total == 0) throw std::runtime_error("name at least one directory");
  std::printf("%zu files replayed\n", total);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}
