#include "lora/spool.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"

namespace finedelta::peft {

namespace {

// Times the roots of the singular values.
std::vector<float> scaled(std::span<const float> vectors, std::span<const float> values) {
  std::vector<float> result(vectors.begin(), vectors.end());
  const size_t length = values.empty() ? 0 : vectors.size() / values.size();
  for (size_t k = 0; k < values.size(); ++k) {
    const float root = std::sqrt(values[k]);
    for (float& value : std::span(result).subspan(k * length, length)) value *= root;
  }
  return result;
}

}  // namespace

Result<Spool> Spool::create(const std::string& directory) {
  FINEDELTA_ASSIGN(std::unique_ptr<ScratchFile> file, ScratchFile::create(directory));
  return Spool(std::move(file));
}

Result<uint64_t> Spool::add(const SingularDirections& directions) {
  const std::vector<float> left = scaled(directions.left, directions.values);
  const std::vector<float> right = scaled(directions.right, directions.values);
  return file_->append({std::as_bytes(std::span(left)), std::as_bytes(std::span(right))});
}

Result<MatrixFactors> Spool::read(uint64_t place, size_t stored, size_t rank, uint64_t rows,
                                  uint64_t columns) const {
  const size_t count = std::min(stored, rank);
  MatrixFactors factors{.rank = rank,
                        .left = std::vector<float>(rank * rows),
                        .right = std::vector<float>(rank * columns)};
  const auto read = [&](uint64_t at, std::span<float> to) {
    return file_->read(at, std::as_writable_bytes(to));
  };
  FINEDELTA_CHECK(read(place, std::span(factors.left).first(count * rows)));
  FINEDELTA_CHECK(
      read(place + stored * rows * sizeof(float), std::span(factors.right).first(count * columns)));
  return factors;
}

}  // namespace finedelta::peft
