#include "archive/record_reader.h"

#include "base/error.h"
#include "safetensors/header.h"

namespace finedelta::archive {

std::string RecordReader::text(uint64_t longest) {
  const std::string_view raw = reader_.string(longest);
  spend(raw.size());
  return ok() ? std::string(raw) : std::string();
}

DType RecordReader::dtype() {
  const uint8_t value = reader_.u8();
  if (value >= kDTypeCount) reject("a dtype is unknown");
  return ok() ? static_cast<DType>(value) : DType::kU8;
}

std::vector<uint64_t> RecordReader::shape() {
  const uint8_t rank = reader_.u8();
  if (rank > safetensors::kLargestRank) reject("a tensor has too many dimensions");
  if (!ok()) return {};
  spend(rank * sizeof(uint64_t));
  std::vector<uint64_t> dimensions(rank);
  for (uint64_t& dimension : dimensions) dimension = reader_.varint();
  return dimensions;
}

uint32_t RecordReader::place(size_t size) {
  const uint64_t value = reader_.varint();
  if (value >= size) reject("it names a record that is not there");
  return ok() ? static_cast<uint32_t>(value) : 0;
}

void RecordReader::spend(uint64_t bytes) {
  if (bytes > budget_) {
    spent_ = true;
    reject("it is too large");
    return;
  }
  budget_ -= bytes;
}

Status RecordReader::status() const {
  if (spent_) {
    return fail(ErrorCode::kFailure,
                "it needs more memory than allowed; raise the limit with --memory");
  }
  if (ok()) return {};
  return fail(ErrorCode::kDamaged, "{} (at byte {} of the body)", reader_.why(), reader_.offset());
}

}  // namespace finedelta::archive
