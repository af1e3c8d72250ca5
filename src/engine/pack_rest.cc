#include "engine/pack_rest.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/threads.h"
#include "engine/decode.h"
#include "engine/encoded_chunk.h"

namespace finedelta {

namespace {

struct RestWorker {
  RestWorker(const archive::Archive& archive, const BaseSet& bases, int level)
      : decoder(archive, bases) {
    scratch.level = level;
  }

  Decoder decoder;
  CoderScratch scratch;
  std::vector<std::byte> value;
  std::vector<std::byte> first_layer;
};

class RestPacker {
 public:
  RestPacker(const archive::Archive& first, const Inputs& inputs, PackPlan& plan,
             archive::Writer& writer, ProgressMeter& progress)
      : first_(first), plan_(plan), writer_(writer), progress_(progress) {
    list_tensors(inputs);
  }

  Status run(const BaseSet& bases, const PackOptions& options) {
    plan_.index.rest.reserve(chunks_);
    const unsigned count = affordable_workers(options, worker_bytes(), index_bytes());
    std::vector<RestWorker> workers;
    workers.reserve(count);
    for (unsigned i = 0; i < count; ++i) workers.emplace_back(first_, bases, options.level);
    return parallel_ordered(
        chunks_, count, (1 + kWaiting) * count, options.cancel,
        [&](uint64_t number, unsigned w) { return encode(number, workers[w]); },
        [&](uint64_t, const EncodedChunk& chunk) {
          plan_.index.rest.push_back(chunk.record);
          plan_.index.rest_size += chunk.stored.size();
          return writer_.append(chunk.stored);
        });
  }

 private:
  struct Source {
    uint64_t first_rest = 0;
    const archive::Tensor* tensor = nullptr;
    const Shard* shard = nullptr;
    const safetensors::Tensor* source = nullptr;
  };

  // The lossy ones.
  void list_tensors(const Inputs& inputs) {
    for_each_tensor(first_.index, inputs,
                    [&](const archive::File&, const archive::Tensor& tensor, const Shard& shard,
                        const safetensors::Tensor& source) {
                      if (!tensor.error) return;
                      tensors_.push_back({chunks_, &tensor, &shard, &source});
                      chunks_ += tensor.chunks;
                    });
  }

  // What decodes the first layer, value and result, planes, the stored bytes and those that wait.
  uint64_t worker_bytes() const {
    uint64_t unit = 1;
    for (const Source& source : tensors_) {
      unit = std::max<uint64_t>(unit, dtype_unit(source.tensor->dtype));
    }
    const uint64_t units = first_.index.units_per_chunk();
    return decoder_bytes(first_.index) + (4 + kWaiting) * unit * units +
           wavelet::scratch_bytes(units, unit) + kEncoderState;
  }
  uint64_t index_bytes() const { return 2 * chunks_ * sizeof(archive::Chunk); }

  Result<EncodedChunk> encode(uint64_t number, RestWorker& worker) const {
    const Source& source =
        *std::prev(std::ranges::upper_bound(tensors_, number, {}, &Source::first_rest));
    const archive::Tensor& tensor = *source.tensor;
    const uint64_t place = number - source.first_rest;
    const uint64_t first = place * first_.index.units_per_chunk() * dtype_unit(tensor.dtype);
    worker.value.resize(archive::chunk_bytes(first_.index, tensor, place));
    worker.first_layer.resize(worker.value.size());
    FINEDELTA_CHECK(source.shard->read(*source.source, first, worker.value));
    FINEDELTA_CHECK(worker.decoder.tensor_chunk(tensor, place, worker.first_layer));
    const ChunkInput input{
        .dtype = tensor.dtype, .value = worker.value, .prediction = worker.first_layer};
    EncodedChunk chunk;
    chunk.seal(encode_chunk(input, worker.scratch, chunk.stored).id, worker.value);
    progress_.add(worker.value.size());
    return chunk;
  }

  const archive::Archive& first_;
  PackPlan& plan_;
  archive::Writer& writer_;
  ProgressMeter& progress_;
  std::vector<Source> tensors_;
  uint64_t chunks_ = 0;
};

}  // namespace

Status pack_rest(const archive::Archive& first, const BaseSet& bases, const Inputs& inputs,
                 PackPlan& plan, archive::Writer& writer, const PackOptions& options,
                 ProgressMeter& progress) {
  return RestPacker(first, inputs, plan, writer, progress).run(bases, options);
}

}  // namespace finedelta
