#include "finedelta/archive_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/guard.h"
#include "engine/reader_state.h"
#include "engine/resources.h"
#include "engine/summary.h"

namespace finedelta {

ArchiveReader::State::State(archive::Archive opened, const Options& given)
    : options(given), archive(std::move(opened)), summaries(summarize_tensors(archive.index)) {
  for (const archive::File& file : archive.index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      places.emplace(tensor.name, tensors.size());
      tensors.push_back(&tensor);
    }
  }
}

Status ArchiveReader::State::require_bases(const archive::Tensor& tensor) {
  const std::scoped_lock lock(mutex_);
  for (const uint32_t base : tensor.prediction.bases()) {
    if (required_.contains(base)) continue;
    FINEDELTA_CHECK(bases->require_tensors({base}));
    required_.insert(base);
  }
  return {};
}

std::vector<std::string> ArchiveReader::State::inputs() {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> out = bases->all_locations();
  out.push_back(archive.file.path());
  return out;
}

Status ArchiveReader::State::read_chunk(
    Decoder& decoder, const archive::Tensor& tensor, uint64_t number, uint64_t first, uint64_t end,
    std::vector<std::byte>& value,
    const std::function<Status(uint64_t offset, Bytes bytes)>& use) const {
  const uint64_t begin = number * archive.index.units_per_chunk() * dtype_unit(tensor.dtype);
  value.resize(archive::chunk_bytes(archive.index, tensor, number));
  FINEDELTA_CHECK(decoder.tensor_chunk(tensor, number, value));
  const uint64_t from = std::max(first, begin);
  const uint64_t to = std::min(end, begin + value.size());
  return use(from - first, Bytes(value).subspan(from - begin, to - from));
}

std::unique_ptr<Decoder> ArchiveReader::State::take_decoder() {
  const std::scoped_lock lock(mutex_);
  if (decoders_.empty()) return std::make_unique<Decoder>(archive, *bases);
  std::unique_ptr<Decoder> decoder = std::move(decoders_.back());
  decoders_.pop_back();
  return decoder;
}

void ArchiveReader::State::give_back(std::unique_ptr<Decoder> decoder) {
  const std::scoped_lock lock(mutex_);
  decoders_.push_back(std::move(decoder));
}

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader& ArchiveReader::operator=(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

Result<ArchiveReader> ArchiveReader::open(const std::string& archive,
                                          const std::vector<std::string>& bases,
                                          const ReadOptions& options) {
  return guarded([&]() -> Result<ArchiveReader> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(archive::Archive opened, archive::Archive::open(archive, options.memory));
    FINEDELTA_CHECK(opened.set_layers(options.layers));
    auto state = std::make_unique<State>(std::move(opened), options);
    FINEDELTA_ASSIGN(BaseSet base_set, BaseSet::open(state->archive, bases, state->options));
    state->bases = std::make_unique<BaseSet>(std::move(base_set));
    return ArchiveReader(std::move(state));
  });
}

const std::vector<TensorSummary>& ArchiveReader::tensors() const { return state_->summaries; }

std::optional<size_t> ArchiveReader::find(std::string_view name) const {
  const auto place = state_->places.find(name);
  if (place == state_->places.end()) return std::nullopt;
  return place->second;
}

Status ArchiveReader::read(size_t tensor, uint64_t first, std::span<std::byte> to) const {
  return guarded([&]() -> Status {
    if (tensor >= state_->tensors.size()) {
      return fail(ErrorCode::kUsage, "the archive has no tensor number {}", tensor);
    }
    const archive::Tensor& wanted = *state_->tensors[tensor];
    if (first > wanted.bytes || to.size() > wanted.bytes - first) {
      return fail(ErrorCode::kUsage, "tensor {} has {} bytes; {} bytes at {} are not all inside",
                  quote(wanted.name), wanted.bytes, to.size(), first);
    }
    if (to.empty()) return {};
    FINEDELTA_CHECK(state_->require_bases(wanted));
    const uint64_t chunk = state_->archive.index.units_per_chunk() * dtype_unit(wanted.dtype);
    const uint64_t end = first + to.size();
    std::unique_ptr<Decoder> decoder = state_->take_decoder();
    std::vector<std::byte> value;
    Status status;
    for (uint64_t number = first / chunk; status && number * chunk < end; ++number) {
      status = state_->read_chunk(*decoder, wanted, number, first, end, value,
                                  [&](uint64_t offset, Bytes bytes) -> Status {
                                    std::ranges::copy(bytes, to.data() + offset);
                                    return {};
                                  });
    }
    state_->give_back(std::move(decoder));
    return status;
  });
}

}  // namespace finedelta
