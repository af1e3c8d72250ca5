#include "engine/rebuild.h"

#include <algorithm>

#include "base/error.h"
#include "base/file_hash.h"
#include "base/threads.h"
#include "engine/encoded_chunk.h"

namespace finedelta {

namespace {

// The tensor that a chunk of the shard belongs to. A tensor without bytes has no chunk and shares
// its first chunk's number with the tensor behind it.
const archive::Tensor& tensor_of_chunk(const archive::File& shard, uint64_t chunk) {
  const auto behind =
      std::ranges::upper_bound(shard.tensors, chunk, {}, &archive::Tensor::first_chunk);
  return *std::prev(behind);
}

}  // namespace

Rebuilder::Rebuilder(const archive::Archive& archive, const BaseSet& bases, const Options& options,
                     ProgressMeter& progress)
    : archive_(archive), bases_(bases), options_(options), progress_(progress) {
  const uint64_t bytes = decoder_bytes(archive.index);
  const unsigned workers = affordable_workers(options, bytes + kWaiting * bytes / 5, 0);
  decoders_.reserve(workers);
  for (unsigned i = 0; i < workers; ++i) decoders_.emplace_back(archive, bases);
  results_.resize(workers);
}

Status Rebuilder::rebuild(const archive::File& file, const Sink& sink) {
  switch (file.kind) {
    case archive::FileKind::kShard:
      return shard(file, sink);
    case archive::FileKind::kEmbedded:
      return embedded(file, sink);
    case archive::FileKind::kReference:
      return reference(file, sink);
    case archive::FileKind::kStored:
    case archive::FileKind::kPatch:
      return side_file(file, sink);
    case archive::FileKind::kEmptyDirectory:
      break;
  }
  return {};
}

Status Rebuilder::pass(uint64_t offset, Bytes bytes, const Sink& sink) {
  if (sink.write) FINEDELTA_CHECK(sink.write(offset, bytes));
  if (sink.sha256) sink.sha256->update(bytes);
  return {};
}

Status Rebuilder::shard(const archive::File& file, const Sink& sink) {
  FINEDELTA_CHECK(pass(0, archive::shard_start(file), sink));
  if (file.tensors.empty()) return {};
  const uint64_t first = file.tensors.front().first_chunk;
  const uint64_t end = file.tensors.back().first_chunk + file.tensors.back().chunks;
  const auto locate = [&](uint64_t number) {
    const archive::Tensor& tensor = tensor_of_chunk(file, first + number);
    const uint64_t place = first + number - tensor.first_chunk;
    const uint64_t whole = archive_.index.units_per_chunk() * dtype_unit(tensor.dtype);
    return Stretch{.offset = tensor.offset + place * whole,
                   .size = archive::chunk_bytes(archive_.index, tensor, place)};
  };
  const auto decode = [&](Decoder& decoder, uint64_t number, MutableBytes value) {
    const archive::Tensor& tensor = tensor_of_chunk(file, first + number);
    return decoder.tensor_chunk(tensor, first + number - tensor.first_chunk, value);
  };
  return chunks(end - first, locate, decode, sink);
}

Status Rebuilder::side_file(const archive::File& file, const Sink& sink) {
  const auto locate = [&](uint64_t number) {
    return Stretch{.offset = number * archive::kSideChunk,
                   .size = archive::side_chunk_bytes(file.size, number)};
  };
  const auto decode = [&](Decoder& decoder, uint64_t number, MutableBytes value) {
    return decoder.side_chunk(file.first_chunk + number, &file, bases_, value);
  };
  return chunks(file.chunks, locate, decode, sink);
}

Status Rebuilder::chunks(uint64_t count, const Locate& locate, const Decode& decode,
                         const Sink& sink) {
  const auto decode_and_write = [&](uint64_t number, unsigned worker) -> Status {
    const Stretch stretch = locate(number);
    std::vector<std::byte>& value = results_[worker];
    value.resize(stretch.size);
    FINEDELTA_CHECK(decode(decoders_[worker], number, value));
    if (sink.write) FINEDELTA_CHECK(sink.write(stretch.offset, value));
    progress_.add(value.size());
    return {};
  };
  const auto workers = static_cast<unsigned>(decoders_.size());
  if (!sink.sha256) return parallel_for(count, workers, options_.cancel, decode_and_write);
  using Value = std::vector<std::byte>;
  return parallel_ordered(
      count, workers, (1 + kWaiting) * workers, options_.cancel,
      [&](uint64_t number, unsigned worker) -> Result<Value> {
        FINEDELTA_CHECK(decode_and_write(number, worker));
        return std::move(results_[worker]);
      },
      [&](uint64_t, Value value) -> Status {
        sink.sha256->update(value);
        return {};
      });
}

Status Rebuilder::embedded(const archive::File& file, const Sink& sink) {
  std::vector<std::byte> content;
  while (content.size() < file.size) {
    const uint64_t at = file.bundle_offset + content.size();
    const uint64_t number = at / archive::kSideChunk;
    if (bundle_chunk_number_ != number) {
      bundle_chunk_.resize(archive::side_chunk_bytes(archive_.index.bundle_size, number));
      FINEDELTA_CHECK(decoders_[0].side_chunk(archive_.index.tensor_chunks + number, nullptr,
                                              bases_, bundle_chunk_));
      bundle_chunk_number_ = number;
    }
    const uint64_t skip = at % archive::kSideChunk;
    const uint64_t taken = std::min(bundle_chunk_.size() - skip, file.size - content.size());
    const Bytes part = Bytes(bundle_chunk_).subspan(skip, taken);
    content.insert(content.end(), part.begin(), part.end());
  }
  progress_.add(content.size());
  return pass(0, content, sink);
}

Status Rebuilder::reference(const archive::File& file, const Sink& sink) {
  Hasher128 hasher;
  FINEDELTA_CHECK(for_each_piece(bases_.file(file.base_file), options_.cancel,
                                 [&](uint64_t offset, Bytes piece) -> Status {
                                   hasher.update(piece);
                                   progress_.add(piece.size());
                                   return pass(offset, piece, sink);
                                 }));
  if (hasher.digest() == archive_.index.base_files[file.base_file].hash) return {};
  FINEDELTA_CHECK(bases_.check_file(file.base_file));
  return fail_changed(bases_.file(file.base_file).path());
}

}  // namespace finedelta
