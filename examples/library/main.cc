// Packs a fine-tune against its base, then reads one tensor back from the archive without
// unpacking it.
//
//   example BASE FINE_TUNE ARCHIVE
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include "finedelta/finedelta.h"

namespace {

int explain(const finedelta::Error& error) {
  std::cerr << "example: " << error.message << '\n';
  return static_cast<int>(error.code);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: example BASE FINE_TUNE ARCHIVE\n";
    return 2;
  }
  const std::vector<std::string> bases = {argv[1]};
  const std::string archive = argv[3];

  finedelta::PackOptions options;
  options.memory = std::size_t{128} << 20;
  options.force = true;
  const auto packed = finedelta::pack(bases, argv[2], archive, options);
  if (!packed) return explain(packed.error());
  std::cout << packed->input_bytes << " bytes became " << packed->archive_bytes << '\n';

  const auto reader = finedelta::ArchiveReader::open(archive, bases);
  if (!reader) return explain(reader.error());
  const finedelta::TensorSummary& tensor = reader->tensors().front();
  std::vector<std::byte> bytes(tensor.bytes);
  const auto read = reader->read(0, 0, bytes);
  if (!read) return explain(read.error());
  std::cout << tensor.name << ": " << tensor.dtype << ", " << tensor.elements << " elements, "
            << tensor.stored_bytes << " bytes in the archive\n";
  return 0;
}
