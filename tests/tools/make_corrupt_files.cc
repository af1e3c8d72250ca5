// Writes the lying archives of tests/corrupt to FOLDER/files, one file each, and what fuzz_index,
// fuzz_unpack and fuzz_coders can start from to FOLDER/index, FOLDER/unpack and FOLDER/coders:
//   make_corrupt_files FOLDER
// scripts/rewrite_archives.sh puts them where they belong.
// The files are committed, so that later readers are held against archives that earlier ones knew.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "archive/index.h"
#include "archive/layout.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/zstd.h"
#include "corrupt/lies.h"
#include "finedelta/options.h"
#include "tools/coder_inputs.h"

namespace {

using namespace finedelta;
using namespace finedelta::corrupt;

void write(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.exceptions(std::ios::failbit | std::ios::badbit);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.flush();
}

// Two sizes, and the regions that they are of; see fuzz/archive_input.h.
std::string fuzz_input(const archive::Layout& layout, Bytes regions, Bytes body) {
  ByteWriter out;
  out.u16(static_cast<uint16_t>(layout.payload_size));
  out.u16(static_cast<uint16_t>(layout.side_size));
  out.bytes(regions);
  out.bytes(body);
  return std::string(as_text(out.view()));
}

// For archives that lie about the chunk of 64 floats.
void write_coder_input(const std::filesystem::path& folder, const std::string& name, Bytes index,
                       const archive::Layout& layout, Bytes regions) {
  const auto opened = archive::decode_index(index, layout, kDefaultMemory, "a lie");
  if (!opened) return;
  const archive::Chunk& chunk = opened->chunks[kPlanesChunk];
  const Bytes stored = regions.subspan(chunk.offset - archive::kHeaderSlot, chunk.size);
  if (as_text(stored) == sample_parts().stored[kPlanesChunk]) return;
  write(folder / "coders" / name, coder_input(DType::kF32, 64, stored));
}

// For archives whose header and index frame are sound.
void write_fuzz_inputs(const std::filesystem::path& folder, const std::string& name,
                       const std::string& archive, bool opens) {
  const auto file = InputFile::open((folder / "files" / name).string());
  const auto layout = file ? archive::read_layout(*file) : std::unexpected(file.error());
  constexpr uint64_t kIndexHead = sizeof(Hash128) + sizeof(uint64_t);
  if (!layout || layout->index_size < kIndexHead) return;
  const Bytes bytes = as_bytes(archive);
  const Bytes index = bytes.subspan(layout->index_offset());
  const auto size = load<uint64_t>(index.data() + sizeof(Hash128));
  constexpr uint64_t kLargestSeed = 4096;
  if (size > kLargestSeed) return;
  std::vector<std::byte> body(size);
  if (!ZstdDecoder().decompress(index.subspan(kIndexHead), {}, body)) return;
  const Bytes regions = bytes.first(layout->index_offset()).subspan(archive::kHeaderSlot);
  write(folder / "index" / name, fuzz_input(*layout, {}, body));
  // An index that is refused is of no use beyond it.
  if (!opens) return;
  write(folder / "unpack" / name, fuzz_input(*layout, regions, body));
  write_coder_input(folder, name, index, *layout, regions);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const Lie& lie : all_lies()) {
    write(folder / "files" / lie.name, lie.archive);
    write_fuzz_inputs(folder, lie.name, lie.archive, lie.seen != Seen::kOpening);
  }
  for (const auto& [name, input] : sound_coder_inputs()) write(folder / "coders" / name, input);
  for (const auto& [name, parts] :
       {std::pair{"sound", sample_parts()}, std::pair{"lossy_sound", lossy_sample()},
        std::pair{"progressive_sound", progressive_sample()}}) {
    const std::string sound = seal(regions_of(parts));
    write(folder / "sound" / "files" / name, sound);
    write_fuzz_inputs(folder / "sound", name, sound, true);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
