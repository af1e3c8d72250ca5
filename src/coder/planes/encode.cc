#include <algorithm>

#include "coder/planes/planes.h"
#include "kernels/planes.h"

namespace finedelta {

namespace {

// Level 1 leaves 1-3 % more, levels above 3 gain little on planes that are noise or zero.
constexpr int kLevel = 3;

// Units that `analyze` looks at: the middle of the chunk. Enough for zstd to find its statistics.
constexpr size_t kSampleUnits = 8192;

bool is_constant(Bytes plane) {
  return std::ranges::all_of(plane, [&](std::byte byte) { return byte == plane[0]; });
}

void split(const ChunkInput& chunk, std::vector<std::byte>& planes) {
  planes.resize(chunk.value.size());
  xor_split(dtype_unit(chunk.dtype), chunk.value.data(),
            chunk.prediction.empty() ? nullptr : chunk.prediction.data(), chunk.units(),
            planes.data());
}

void encode_plane(Bytes plane, ZstdEncoder& encoder, std::vector<std::byte>& stored) {
  const auto mode = [&](PlaneMode m) { stored.push_back(static_cast<std::byte>(m)); };
  if (is_constant(plane)) {
    mode(PlaneMode::kConstant);
    stored.push_back(plane[0]);
    return;
  }
  std::vector<std::byte> frame;
  encoder.compress(plane, kLevel, {}, frame);
  ByteWriter size;
  size.varint(frame.size());
  if (size.view().size() + frame.size() >= plane.size()) {
    mode(PlaneMode::kRaw);
    stored.insert(stored.end(), plane.begin(), plane.end());
    return;
  }
  mode(PlaneMode::kZstd);
  stored.insert(stored.end(), size.view().begin(), size.view().end());
  stored.insert(stored.end(), frame.begin(), frame.end());
}

ChunkInput sample_of(const ChunkInput& chunk) {
  const size_t units = chunk.units();
  const size_t taken = std::min(units, kSampleUnits);
  const size_t begin = (units - taken) / 2 * chunk.unit();
  const size_t size = taken * chunk.unit();
  return {.dtype = chunk.dtype,
          .value = chunk.value.subspan(begin, size),
          .prediction = chunk.prediction.empty() ? Bytes{} : chunk.prediction.subspan(begin, size)};
}

}  // namespace

std::optional<uint64_t> analyze_planes(const ChunkInput& chunk, CoderScratch& scratch) {
  const ChunkInput sample = sample_of(chunk);
  split(sample, scratch.planes);
  const size_t units = sample.units();
  uint64_t size = 0;
  for (unsigned k = 0; k < sample.unit(); ++k) {
    const Bytes plane = Bytes(scratch.planes).subspan(k * units, units);
    size += is_constant(plane)
                ? 1
                : std::min<uint64_t>(units, scratch.encoder.compressed_size(plane, kLevel));
  }
  const uint64_t scaled = size * chunk.estimated_units() / units;
  return scaled + 2 * uint64_t{chunk.unit()};
}

void encode_planes(const ChunkInput& chunk, CoderScratch& scratch, std::vector<std::byte>& stored) {
  split(chunk, scratch.planes);
  const size_t units = chunk.units();
  for (unsigned k = 0; k < chunk.unit(); ++k) {
    encode_plane(Bytes(scratch.planes).subspan(k * units, units), scratch.encoder, stored);
  }
}

}  // namespace finedelta
