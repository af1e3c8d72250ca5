#include "engine/lossy_trial.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/error.h"
#include "base/threads.h"
#include "engine/lossy_piece.h"

namespace finedelta {

namespace {

constexpr uint64_t kEvery = 8;  // of the pieces

struct TrialWorker {
  LossyPiece piece;
  std::vector<std::byte> value;
  std::vector<std::byte> stored;
};

class Trial {
 public:
  Trial(const Inputs& inputs, const PackPlan& plan, const LossyFits& fits, double distortion)
      : inputs_(inputs), plan_(plan), fits_(fits), distortion_(distortion) {
    for_each_tensor(plan_.index, inputs_,
                    [&](const archive::File&, const archive::Tensor& tensor, const Shard& shard,
                        const safetensors::Tensor& source) {
                      sources_.push_back({&tensor, tensor_source(shard, source)});
                    });
  }

  Result<int64_t> run(const PackOptions& options) {
    const unsigned count = affordable_workers(options, kWorkerBytes, 0);
    std::vector<TrialWorker> workers(count);
    FINEDELTA_CHECK(parallel_for(sources_.size(), count, options.cancel,
                                 [&](uint64_t i, unsigned w) { return measure(i, workers[w]); }));
    return more_.load();
  }

 private:
  struct Source {
    const archive::Tensor* tensor;
    TensorSource fine;
  };

  // Of F32: the value, the base twice, the result twice, and what the piece keeps.
  static constexpr uint64_t kWorkerBytes =
      kLowRankSearchBytes + kChunkUnits * (6 * sizeof(float) + kLossyPieceBytes);

  Status measure(size_t number, TrialWorker& worker) {
    if (!fits_.is_lossy(number)) return {};
    FINEDELTA_ASSIGN(const LossyTensor lossy, fits_.tensor(number, distortion_, kBehaviour));
    if (lossy.step == 0) return {};
    const auto& [tensor, fine] = sources_[number];
    const uint64_t unit = dtype_unit(tensor->dtype);
    const uint64_t units = tensor->bytes / unit;
    uint64_t coded = 0;
    uint64_t bytes = 0;
    for (uint64_t first = number % kEvery * kChunkUnits % units / kChunkUnits * kChunkUnits;
         first < units; first += kEvery * kChunkUnits) {
      const uint64_t count = std::min(kChunkUnits, units - first);
      worker.value.resize(count * unit);
      FINEDELTA_CHECK(fine.read(first * unit, worker.value));
      FINEDELTA_CHECK(code(lossy, *tensor, first, worker));
      coded += count;
      bytes += worker.stored.size();
    }
    const double all =
        static_cast<double>(bytes) / static_cast<double>(coded) * static_cast<double>(units);
    more_ += static_cast<int64_t>(all) - static_cast<int64_t>(lossy.step_bytes);
    return {};
  }

  Status code(const LossyTensor& lossy, const archive::Tensor& tensor, uint64_t first,
              TrialWorker& worker) const {
    const TensorSource base = base_source(inputs_, plan_, tensor.prediction.bases()[0]);
    const uint64_t columns = matrix_shape(tensor.shape).columns;
    FINEDELTA_CHECK(worker.piece.work(lossy, base, {tensor.dtype, columns, first}, worker.value));
    worker.stored.clear();
    if (!worker.piece.all_zero()) worker.piece.encode(worker.stored);
    return {};
  }

  const Inputs& inputs_;
  const PackPlan& plan_;
  const LossyFits& fits_;
  const double distortion_;
  std::vector<Source> sources_;
  std::atomic<int64_t> more_ = 0;
};

}  // namespace

Result<int64_t> try_lossy(const Inputs& inputs, const PackPlan& plan, const LossyFits& fits,
                          double distortion, const PackOptions& options) {
  return Trial(inputs, plan, fits, distortion).run(options);
}

}  // namespace finedelta
