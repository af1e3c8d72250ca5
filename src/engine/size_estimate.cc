#include "engine/size_estimate.h"

#include "archive/layout.h"

namespace finedelta {

namespace {

// What the index takes, in bytes: measured on archives of real models.
constexpr uint64_t kIndexPerChunk = 28;
constexpr uint64_t kIndexPerTensor = 8;
constexpr uint64_t kIndexPerBaseTensor = 28;
constexpr uint64_t kIndexPerFile = 40;

// How far side files compress, in percent: text, mostly.
constexpr uint64_t kStoredPercent = 30;
constexpr uint64_t kPatchPercent = 5;

uint64_t file_estimate(const archive::File& file) {
  switch (file.kind) {
    case archive::FileKind::kStored:
    case archive::FileKind::kEmbedded:
      return file.size * kStoredPercent / 100;
    case archive::FileKind::kPatch:
      return file.size * kPatchPercent / 100;
    default:
      return 0;
  }
}

}  // namespace

uint64_t index_estimate(const archive::Index& index) {
  uint64_t tensors = 0;
  for (const archive::File& file : index.files) tensors += file.tensors.size();
  return archive::kHeaderSlot + kIndexPerChunk * archive::chunk_count(index) +
         kIndexPerTensor * tensors + kIndexPerBaseTensor * index.base_tensors.size() +
         kIndexPerFile * index.files.size();
}

uint64_t side_estimate(const archive::Index& index) {
  uint64_t bytes = 0;
  for (const archive::File& file : index.files) bytes += file_estimate(file);
  return bytes;
}

}  // namespace finedelta
