#include <algorithm>
#include <tuple>

#include "base/atomic_output.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "engine/output_apart.h"
#include "engine/reader_state.h"
#include "engine/resources.h"
#include "engine/selection.h"
#include "finedelta/archive_reader.h"
#include "safetensors/header.h"

namespace finedelta {

namespace {

// In the order of the reference implementation, which keeps data aligned: wide types first.
void sort_selections(std::vector<Selection>& selections, const ArchiveReader& reader) {
  std::ranges::sort(selections, {}, [&](const Selection& selection) {
    const TensorSummary& tensor = reader.tensors()[selection.tensor];
    const auto dtype = dtype_from_name(tensor.dtype);
    return std::tuple(-static_cast<int>(dtype_bits(*dtype)), std::string_view(tensor.name));
  });
}

Result<std::vector<Selection>> parse_all(const std::vector<std::string>& texts,
                                         const ArchiveReader& reader) {
  std::vector<Selection> selections;
  for (const std::string& text : texts) {
    FINEDELTA_ASSIGN(Selection selection, parse_selection(text, reader));
    if (std::ranges::find(selections, selection.tensor, &Selection::tensor) != selections.end()) {
      return fail(ErrorCode::kUsage, "tensor {} is selected twice",
                  quote(reader.tensors()[selection.tensor].name));
    }
    selections.push_back(std::move(selection));
  }
  sort_selections(selections, reader);
  return selections;
}

// The length field and the header of the output.
std::vector<std::byte> make_head(const std::vector<Selection>& selections,
                                 const ArchiveReader& reader) {
  std::vector<safetensors::Tensor> tensors;
  for (const Selection& selection : selections) {
    const TensorSummary& tensor = reader.tensors()[selection.tensor];
    tensors.push_back(
        {.name = tensor.name, .dtype = *dtype_from_name(tensor.dtype), .shape = selection.shape});
  }
  const std::string header = safetensors::canonical_header(R"({"format":"pt"})", tensors);
  ByteWriter head;
  head.u64(header.size());
  head.bytes(as_bytes(header));
  return head.take();
}

}  // namespace

Status ArchiveReader::State::write_selection(const Selection& selection, const OutputFile& out,
                                             uint64_t offset, std::vector<Decoder>& decoders,
                                             ProgressMeter& progress) const {
  if (selection.first == selection.end) return {};
  const archive::Tensor& tensor = *tensors[selection.tensor];
  const uint64_t chunk = archive.index.units_per_chunk() * dtype_unit(tensor.dtype);
  const uint64_t first_chunk = selection.first / chunk;
  const uint64_t chunks = (selection.end - 1) / chunk + 1 - first_chunk;
  const auto write = [&](uint64_t at, Bytes bytes) -> Status {
    progress.add(bytes.size());
    return out.write(offset + at, bytes);
  };
  std::vector<std::vector<std::byte>> values(decoders.size());
  return parallel_for(chunks, static_cast<unsigned>(decoders.size()), options.cancel,
                      [&](uint64_t i, unsigned w) {
                        return read_chunk(decoders[w], tensor, first_chunk + i, selection.first,
                                          selection.end, values[w], write);
                      });
}

// Writes the selections one after another, the chunks of each in parallel.
Result<ExtractReport> ArchiveReader::extract(const std::vector<std::string>& selections,
                                             const std::string& output, bool force) const {
  return guarded([&]() -> Result<ExtractReport> {
    FINEDELTA_ASSIGN(const std::vector<Selection> wanted, parse_all(selections, *this));
    uint64_t total = 0;
    bool lossy = false;
    for (const Selection& selection : wanted) {
      const archive::Tensor& tensor = *state_->tensors[selection.tensor];
      FINEDELTA_CHECK(state_->require_bases(tensor));
      lossy |= tensor.error.has_value() && state_->archive.is_lossy();
      total += selection.end - selection.first;
    }
    FINEDELTA_CHECK(check_output_apart(output, state_->inputs()));
    FINEDELTA_ASSIGN(AtomicFile file, AtomicFile::create(output, force));
    const std::vector<std::byte> head = make_head(wanted, *this);
    FINEDELTA_CHECK(file.file().write(0, head));

    ReadCount count;
    std::vector<Decoder> decoders;
    const uint64_t decoder_size = decoder_bytes(state_->archive.index);
    for (unsigned i = affordable_workers(state_->options, decoder_size, 0); i > 0; --i) {
      decoders.emplace_back(state_->archive, *state_->bases, &count);
    }
    ProgressMeter progress(state_->options.progress, total);
    uint64_t offset = head.size();
    for (const Selection& selection : wanted) {
      FINEDELTA_CHECK(state_->write_selection(selection, file.file(), offset, decoders, progress));
      offset += selection.end - selection.first;
    }
    FINEDELTA_CHECK(file.publish());
    return ExtractReport{
        .tensors = wanted.size(),
        .bytes = total,
        .archive_bytes_read =
            archive::kHeaderSlot + state_->archive.layout.index_size + count.archive.load(),
        .base_bytes_read = count.base.load(),
        .lossy = lossy};
  });
}

Result<ExtractReport> extract(const std::vector<std::string>& bases, const std::string& archive,
                              const std::vector<std::string>& selections, const std::string& output,
                              const ExtractOptions& options) {
  FINEDELTA_ASSIGN(const ArchiveReader reader, ArchiveReader::open(archive, bases, options));
  return reader.extract(selections, output, options.force);
}

}  // namespace finedelta
