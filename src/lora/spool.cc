#include "lora/spool.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <span>

#include "base/error.h"

namespace finedelta::peft {

namespace {

constexpr std::string_view kName = "factors";

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

Result<Spool> Spool::create(const AtomicDirectory& directory) {
  FINEDELTA_ASSIGN(OutputFile out, directory.create_file(kName, false));
  const std::string path = directory.path() + '/' + std::string(kName);
  FINEDELTA_ASSIGN(InputFile in, InputFile::open(path));
  if (unlink(path.c_str()) != 0) return fail_errno(errno, "remove", path);
  return Spool(std::move(out), std::move(in));
}

Result<uint64_t> Spool::add(const SingularDirections& directions) {
  const uint64_t place = end_;
  for (const auto* side : {&directions.left, &directions.right}) {
    const std::vector<float> factor = scaled(*side, directions.values);
    const auto bytes = std::as_bytes(std::span(factor));
    FINEDELTA_CHECK(out_.write(end_, bytes));
    end_ += bytes.size();
  }
  return place;
}

Result<MatrixFactors> Spool::read(uint64_t place, size_t stored, size_t rank, uint64_t rows,
                                  uint64_t columns) const {
  const size_t count = std::min(stored, rank);
  MatrixFactors factors{.rank = rank,
                        .left = std::vector<float>(rank * rows),
                        .right = std::vector<float>(rank * columns)};
  const auto read = [&](uint64_t at, std::span<float> to) {
    return in_.read(at, std::as_writable_bytes(to));
  };
  FINEDELTA_CHECK(read(place, std::span(factors.left).first(count * rows)));
  FINEDELTA_CHECK(
      read(place + stored * rows * sizeof(float), std::span(factors.right).first(count * columns)));
  return factors;
}

}  // namespace finedelta::peft
