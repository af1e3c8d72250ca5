// Progressive archives that break a rule of docs/format.md each.
#include <functional>

#include "base/bytes.h"
#include "base/error.h"
#include "coder/identical/identical.h"
#include "coder/planes/planes.h"
#include "coder/raw/raw.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

// Of both bytes of the units one plane: the lowest bit differs everywhere, and nothing else.
constexpr std::string_view kRest("\1\1\1\0", 4);

Lie lie(std::string name, const Regions& regions, Seen seen, std::string_view error) {
  return {.name = "progressive_" + std::move(name),
          .archive = seal(regions),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE").append(error)};
}

Regions changed(const std::function<void(Parts&)>& change) {
  Parts parts = progressive_sample();
  change(parts);
  return regions_of(parts);
}

// Of which nothing else is told than that; `at`: the byte of the body where it is.
Lie misled(std::string name, const Regions& regions, std::string_view why, int at = 0) {
  std::string error = fmt::format(": the archive's index can't be read: {}", why);
  if (at > 0) error += fmt::format(" (at byte {} of the body)", at);
  return lie(std::move(name), regions, Seen::kOpening, error);
}

Regions with_body(const std::function<void(Regions&)>& change) {
  Regions regions = regions_of(progressive_sample());
  change(regions);
  return regions;
}

Regions with_size(uint64_t size) {
  return changed([size](Parts& parts) { parts.index.rest_size = size; });
}

Regions with_chunk(uint8_t coder, uint32_t size) {
  return changed([&](Parts& parts) {
    parts.index.rest[0].coder = coder;
    parts.index.rest[0].size = size;
    parts.index.rest_size = size;
    parts.rest.resize(size);
  });
}

Regions with_chunk_size(uint32_t size) {
  return changed([size](Parts& parts) { parts.index.rest[0].size = size; });
}

constexpr size_t kRecord = 1 + 1 + sizeof(uint64_t) + sizeof(Hash128);

std::vector<Lie> index_lies_of_layers() {
  constexpr std::string_view kNotFilled = "its second layer does not fill the payload";
  constexpr std::string_view kFirst = "its chunks do not fill the payload";
  const uint64_t payload = regions_of(progressive_sample()).payload.size();
  return {
      misled("flag_in_format_1", with_body([](Regions& regions) { regions.version = 1; }),
             "it has unknown flags", 1),
      misled("of_an_exact_archive", with_body([](Regions& regions) { regions.body[0] = 4; }),
             "it has layers, but is not lossy", 1),
      misled("larger_than_payload", with_size(payload + 1),
             "its second layer is larger than the payload", 4),
      misled("size_over_64_bits", with_body([](Regions& regions) {
               regions.body.replace(2, 1, std::string(9, '\xff') + '\2');
             }),
             "a number is not in its shortest form", 12),
      misled("too_large", with_size(kRest.size() + 1), kFirst, 491),
      misled("too_small", with_size(kRest.size() - 1), kFirst, 491),
      misled("not_filled", with_chunk_size(kRest.size() - 1), kNotFilled, 1069),
      misled("overfilled", with_chunk_size(kRest.size() + 1), kNotFilled, 1069),
      misled("beyond_archive", with_chunk_size(1 << 20), "its chunks are larger than the archive",
             1071),
      misled("no_record", with_body([](Regions& regions) {
               regions.body.resize(regions.body.size() - kRecord);
             }),
             "it has fewer chunks than its tensors need", 1067),
      misled("hash_cut", with_body([](Regions& regions) { regions.body.pop_back(); }),
             "it ends too early", 1077),
      misled("byte_behind", with_body([](Regions& regions) { regions.body += '\0'; }),
             "bytes are left behind its end", 1093),
      misled("chunk_of_an_exact_tensor", changed([](Parts& parts) {
               parts.index.rest.push_back(parts.index.chunks[kSameChunk]);
             }),
             kNotFilled, 1069),
  };
}

std::vector<Lie> chunk_lies() {
  constexpr std::string_view kSize = "a chunk has a size that its coder does not allow";
  return {
      misled("coder_unknown", with_chunk(static_cast<uint8_t>(coders().size()), 4),
             "a coder is unknown"),
      misled("raw_shorter", with_chunk(kRawCoder.id, 31), kSize),
      misled("identical_with_bytes", with_chunk(kIdenticalCoder.id, 1), kSize),
      misled("planes_not_smaller", with_chunk(kPlanesCoder.id, 32), kSize),
      misled("planes_without_bytes", with_chunk(kPlanesCoder.id, 0), kSize),
  };
}

Regions with_rest(std::string stored) {
  return changed([&](Parts& parts) { parts.set_rest(std::move(stored)); });
}

std::vector<Lie> stored_lies_of_layers() {
  constexpr std::string_view kOther = ": tensor 'b' does not come out as it was packed";
  return {
      lie("stored_hash", changed([](Parts& parts) { ++parts.index.rest[0].stored_hash; }),
          Seen::kChecking, ": the SIZE bytes at OFFSET are damaged"),
      lie("result_hash", changed([](Parts& parts) { parts.index.rest[0].result_hash = {}; }),
          Seen::kRebuilding, kOther),
      lie("other_content", with_rest(std::string("\1\2\1\0", 4)), Seen::kRebuilding, kOther),
      lie("planes_cut", with_rest("\1\1"), Seen::kRebuilding,
          ": 'b' in the SIZE bytes at OFFSET: it ends too early"),
  };
}

}  // namespace

Parts progressive_sample() {
  Parts parts = lossy_sample();
  std::string result = sample_base_tensor("b");
  for (size_t i = 0; i < result.size(); i += 2) result[i] = static_cast<char>(result[i] ^ 1);
  parts.add_rest(kPlanesCoder.id, std::string(kRest), result);
  return parts;
}

std::vector<Lie> progressive_lies() {
  std::vector<Lie> lies;
  for (const auto& some : {index_lies_of_layers(), chunk_lies(), stored_lies_of_layers()}) {
    lies.insert(lies.end(), some.begin(), some.end());
  }
  return lies;
}

}  // namespace finedelta::corrupt
