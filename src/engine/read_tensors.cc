#include <algorithm>

#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "engine/reader_state.h"
#include "engine/resources.h"
#include "finedelta/archive_reader.h"

namespace finedelta {

namespace {

// The chunks that several reads touch, numbered through.
class TouchedChunks {
 public:
  // `reads` must outlive this.
  TouchedChunks(const archive::Archive& archive, const std::vector<const archive::Tensor*>& tensors,
                std::span<const TensorRead> reads)
      : units_(archive.index.units_per_chunk()), tensors_(tensors), reads_(reads) {
    for (const TensorRead& read : reads) {
      ends_.push_back(count() + (read.to.empty() ? 0 : last_chunk(read) - first_chunk(read) + 1));
    }
  }

  [[nodiscard]] uint64_t count() const { return ends_.empty() ? 0 : ends_.back(); }

  struct Touched {
    const TensorRead& read;
    uint64_t chunk;  // of its tensor
  };
  [[nodiscard]] Touched at(uint64_t number) const {
    const auto end = std::ranges::upper_bound(ends_, number);
    const TensorRead& read = reads_[static_cast<size_t>(end - ends_.begin())];
    return {read, last_chunk(read) + 1 - (*end - number)};
  }

 private:
  [[nodiscard]] uint64_t chunk_size(const TensorRead& read) const {
    return units_ * dtype_unit(tensors_[read.tensor]->dtype);
  }
  [[nodiscard]] uint64_t first_chunk(const TensorRead& read) const {
    return read.first / chunk_size(read);
  }
  [[nodiscard]] uint64_t last_chunk(const TensorRead& read) const {
    return (read.first + read.to.size() - 1) / chunk_size(read);
  }

  uint64_t units_;
  const std::vector<const archive::Tensor*>& tensors_;
  std::span<const TensorRead> reads_;
  std::vector<uint64_t> ends_;  // of the numbers of each read's chunks
};

}  // namespace

Status ArchiveReader::State::check_range(const TensorRead& read) const {
  if (read.tensor >= tensors.size()) {
    return fail(ErrorCode::kUsage, "the archive has no tensor number {}", read.tensor);
  }
  const archive::Tensor& tensor = *tensors[read.tensor];
  if (read.first > tensor.bytes || read.to.size() > tensor.bytes - read.first) {
    return fail(ErrorCode::kUsage, "tensor {} has {} bytes; {} bytes at {} are not all inside",
                quote(tensor.name), tensor.bytes, read.to.size(), read.first);
  }
  return {};
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

Status ArchiveReader::State::fill_chunk(Decoder& decoder, const TensorRead& read, uint64_t number,
                                        std::vector<std::byte>& value,
                                        ProgressMeter& progress) const {
  const archive::Tensor& tensor = *tensors[read.tensor];
  const uint64_t begin = number * archive.index.units_per_chunk() * dtype_unit(tensor.dtype);
  const uint64_t size = archive::chunk_bytes(archive.index, tensor, number);
  const uint64_t end = read.first + read.to.size();
  if (begin >= read.first && begin + size <= end) {
    progress.add(size);
    return decoder.tensor_chunk(tensor, number, read.to.subspan(begin - read.first, size));
  }
  return read_chunk(decoder, tensor, number, read.first, end, value,
                    [&](uint64_t offset, Bytes bytes) -> Status {
                      progress.add(bytes.size());
                      std::ranges::copy(bytes, read.to.data() + offset);
                      return {};
                    });
}

Status ArchiveReader::State::read(std::span<const TensorRead> reads, unsigned threads,
                                  const ProgressCallback& callback) {
  uint64_t total = 0;
  for (const TensorRead& read : reads) {
    FINEDELTA_CHECK(check_range(read));
    if (!read.to.empty()) FINEDELTA_CHECK(require_bases(*tensors[read.tensor]));
    total += read.to.size();
  }
  const TouchedChunks chunks(archive, tensors, reads);
  std::vector<std::unique_ptr<Decoder>> decoders;
  decoders.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) decoders.push_back(take_decoder());
  std::vector<std::vector<std::byte>> values(threads);
  ProgressMeter progress(callback, total);
  Status status =
      parallel_for(chunks.count(), threads, options.cancel, [&](uint64_t i, unsigned worker) {
        const auto [read, chunk] = chunks.at(i);
        return fill_chunk(*decoders[worker], read, chunk, values[worker], progress);
      });
  for (std::unique_ptr<Decoder>& decoder : decoders) give_back(std::move(decoder));
  return status;
}

Status ArchiveReader::read(size_t tensor, uint64_t first, std::span<std::byte> to) const {
  return guarded([&]() -> Status {
    const TensorRead only{.tensor = tensor, .first = first, .to = to};
    return state_->read({&only, 1}, 1, {});
  });
}

Status ArchiveReader::read(std::span<const TensorRead> reads) const {
  return guarded([&]() -> Status {
    const uint64_t decoder_size = decoder_bytes(state_->archive.index);
    return state_->read(reads, affordable_workers(state_->options, decoder_size, 0),
                        state_->options.progress);
  });
}

}  // namespace finedelta
