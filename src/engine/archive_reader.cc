#include "finedelta/archive_reader.h"

#include "base/error.h"
#include "base/guard.h"
#include "engine/reader_state.h"
#include "engine/resources.h"
#include "engine/summary.h"

namespace finedelta {

ArchiveReader::State::State(archive::Archive opened, const Options& given)
    : options(given), archive(std::move(opened)), summary(summarize(archive)) {
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

const ArchiveSummary& ArchiveReader::summary() const { return state_->summary; }

const std::vector<TensorSummary>& ArchiveReader::tensors() const { return summary().tensors; }

std::optional<size_t> ArchiveReader::find(std::string_view name) const {
  const auto place = state_->places.find(name);
  if (place == state_->places.end()) return std::nullopt;
  return place->second;
}

}  // namespace finedelta
