#include "engine/pack_tensors.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "archive/fingerprint.h"
#include "base/error.h"
#include "base/threads.h"
#include "coder/coder.h"
#include "coder/identical/identical.h"
#include "coder/raw/raw.h"
#include "coder/steps/steps.h"
#include "engine/base_hashes.h"
#include "engine/encoded_chunk.h"
#include "engine/lossy_piece.h"
#include "engine/lossy_within.h"
#include "engine/low_rank_search.h"
#include "engine/result_hashes.h"

namespace finedelta {

namespace {

// What the factors of a group of runs may take, at the most that any of them could have: each of
// those is 2 bytes of its record and 2 of its predictor.
constexpr uint64_t kFactorsOfGroup = uint64_t{16} << 20;
constexpr uint64_t kBytesOfFactor = 4;
constexpr uint64_t kMostFactors = 64;

// A run of jobs of one kind: the blocks of a base tensor to fingerprint, or the chunks of a tensor
// to encode. A base tensor's run comes right before the first tensor that uses it, so that its
// bytes are read from disk once and from the page cache the second time.
struct Run {
  uint64_t first_job = 0;
  archive::Tensor* tensor = nullptr;    // null: a base tensor
  const archive::File* file = nullptr;  // of `tensor`
  const Shard* shard = nullptr;         // of the tensor or base tensor
  const safetensors::Tensor* source = nullptr;
  uint32_t base_tensor = 0;  // where `tensor` is null
  size_t number = 0;         // of `tensor` among all
  // While its group is coded: of an exact tensor, or of a lossy one. Apart, as there are very many
  // runs and few in a group.
  std::unique_ptr<LowRankAnswer> low_rank;
  std::unique_ptr<LossyTensor> lossy;

  [[nodiscard]] const LowRankAnswer* factors() const {
    if (!lossy) return low_rank.get();
    return lossy->factors ? &*lossy->factors : nullptr;
  }
};

struct TensorWorker {
  CoderScratch scratch;
  std::vector<std::byte> value;  // or the block to fingerprint
  std::vector<std::byte> prediction;
  PredictionReader predictions;
  LossyPiece lossy;
};

class TensorPacker {
 public:
  TensorPacker(const Inputs& inputs, PackPlan& plan, archive::Writer& writer,
               const PackOptions& options, ProgressMeter& progress, const LossyChoice* lossy)
      : inputs_(inputs),
        plan_(plan),
        writer_(writer),
        options_(options),
        progress_(progress),
        lossy_(lossy) {
    if (lossy_) result_hashes_.emplace(plan.index);
  }

  Status run() {
    list_runs();
    plan_.index.chunks.reserve(archive::chunk_count(plan_.index));
    const uint64_t index_bytes =
        plan_.index.chunks.capacity() * 2 * sizeof(archive::Chunk) + runs_.size() * sizeof(Run);
    const unsigned count = affordable_workers(options_, worker_bytes(), index_bytes);
    workers_.resize(count);
    for (TensorWorker& worker : workers_) worker.scratch.level = options_.level;
    for (size_t begin = 0; begin < runs_.size();) {
      const size_t end = group_end(begin);
      FINEDELTA_CHECK(find_factors(begin, end));
      FINEDELTA_CHECK(code(begin, end));
      for (; begin < end; ++begin) {
        runs_[begin].low_rank.reset();
        runs_[begin].lossy.reset();
      }
    }
    if (lossy_) finish_results();
    return finish_bases();
  }

 private:
  // Runs are coded in groups: the factors of all low-rank predictions in one are found before, and
  // are in memory at the same time. Without such predictions there is one group.
  size_t group_end(size_t begin) const {
    uint64_t factors = 0;
    size_t end = begin;
    for (; end < runs_.size(); ++end) {
      const Run& run = runs_[end];
      if (!run.tensor || !may_be_low_rank(run)) continue;
      const MatrixShape matrix = matrix_shape(run.tensor->shape);
      factors += kBytesOfFactor * kMostFactors * (matrix.rows + matrix.columns);
      if (factors > kFactorsOfGroup && end > begin) break;
    }
    return end;
  }

  bool may_be_low_rank(const Run& run) const {
    if (run.tensor->prediction.bases().size() != 1) return false;
    const TensorRef& ref = plan_.base_refs[run.tensor->prediction.bases()[0]];
    return finedelta::may_be_low_rank(run.tensor->prediction.formula, inputs_.tensor(ref).dtype,
                                      *run.source);
  }

  Status find_factors(size_t begin, size_t end) {
    std::vector<Run*> wanted;
    for (size_t i = begin; i < end; ++i) {
      if (runs_[i].tensor && may_be_low_rank(runs_[i])) wanted.push_back(&runs_[i]);
    }
    if (wanted.empty()) return {};
    const unsigned count = affordable_workers(options_, kLowRankSearchBytes, kFactorsOfGroup);
    std::vector<Sampler> samplers(count);
    return parallel_for(wanted.size(), count, options_.cancel, [&](uint64_t i, unsigned w) {
      return find_factors(*wanted[i], samplers[w]);
    });
  }

  Status find_factors(Run& run, Sampler& sampler) const {
    const TensorRef& ref = plan_.base_refs[run.tensor->prediction.bases()[0]];
    const safetensors::Tensor& base = inputs_.tensor(ref);
    const auto question = ask_low_rank(*run.shard, *run.source, inputs_.shard(ref), base,
                                       run.tensor->prediction.formula);
    if (lossy_) return choose_lossy(question, run);
    FINEDELTA_ASSIGN(auto found, find_low_rank(question, options_.level, sampler));
    if (!found) return {};
    run.low_rank = std::make_unique<LowRankAnswer>(*std::move(found));
    run.tensor->prediction.formula = {.predictor = Predictor::kLowRank};
    return {};
  }

  Status choose_lossy(const LowRankQuestion& question, Run& run) const {
    const LossyFits& fits = lossy_->fits;
    if (!fits.is_lossy(run.number)) return {};
    std::optional<LossyTensor> found;
    if (lossy_->error && fits.has_delta(run.number)) {
      FINEDELTA_ASSIGN(found, lossy_within(fits, run.number, question, *lossy_->error));
    } else {
      FINEDELTA_ASSIGN(found, fits.tensor(run.number, lossy_->distortion, kBehaviour));
    }
    const uint64_t exact = std::min(lossy_->matches[run.number].estimated_bytes, run.tensor->bytes);
    if (!found || (found->bytes() > 0 && found->bytes() >= exact)) return {};
    run.lossy = std::make_unique<LossyTensor>(*std::move(found));
    run.tensor->prediction.formula = {.predictor = run.lossy->factors ? Predictor::kLowRank
                                                                      : Predictor::kBase};
    return {};
  }

  Status code(size_t begin, size_t end) {
    const uint64_t first = runs_[begin].first_job;
    const uint64_t behind = end < runs_.size() ? runs_[end].first_job : jobs_;
    const auto count = static_cast<unsigned>(workers_.size());
    return parallel_ordered(
        behind - first, count, (1 + kWaiting) * count, options_.cancel,
        [&](uint64_t job, unsigned w) { return work(first + job, workers_[w]); },
        [&](uint64_t job, const EncodedChunk& chunk) { return commit(first + job, chunk); });
  }

  void list_runs() {
    std::vector<bool> fingerprinted(plan_.base_refs.size());
    for_each_tensor(plan_.index, inputs_,
                    [&](const archive::File& file, archive::Tensor& tensor, const Shard& shard,
                        const safetensors::Tensor& source) {
                      most_bases_ = std::max(most_bases_, tensor.prediction.bases().size());
                      for (const uint32_t base : tensor.prediction.bases()) {
                        if (!fingerprinted[base]) add_base_run(base);
                        fingerprinted[base] = true;
                      }
                      runs_.push_back({.first_job = jobs_,
                                       .tensor = &tensor,
                                       .file = &file,
                                       .shard = &shard,
                                       .source = &source,
                                       .number = tensors_++});
                      jobs_ += tensor.chunks;
                    });
  }

  void add_base_run(uint32_t base_tensor) {
    const TensorRef& ref = plan_.base_refs[base_tensor];
    const safetensors::Tensor& source = inputs_.tensor(ref);
    runs_.push_back({.first_job = jobs_,
                     .shard = &inputs_.shard(ref),
                     .source = &source,
                     .base_tensor = base_tensor});
    const uint64_t blocks = archive::fingerprint_blocks(source.end - source.begin);
    if (blocks == 0) {
      plan_.index.base_tensors[base_tensor].fingerprint =
          archive::Fingerprint(source.dtype, source.shape).digest();
    }
    jobs_ += blocks;
  }

  // Value, bases, prediction, planes, the stored bytes and those that wait.
  uint64_t worker_bytes() const {
    uint64_t unit = 1;
    for (const Run& run : runs_) unit = std::max<uint64_t>(unit, dtype_unit(run.source->dtype));
    const uint64_t units = plan_.index.units_per_chunk();
    const uint64_t buffers = 5 + most_bases_ + kWaiting + (lossy_ ? 2 + kWaiting : 0);
    const uint64_t lossy = lossy_ ? kLossyPieceBytes + kStepsBytesPerUnit : 0;
    return (buffers * unit + lossy) * units + wavelet::scratch_bytes(units, unit) + kEncoderState;
  }

  const Run& run_of(uint64_t job) const {
    return *std::prev(std::ranges::upper_bound(runs_, job, {}, &Run::first_job));
  }

  // For a block, only the record's result_hash counts.
  Result<EncodedChunk> work(uint64_t job, TensorWorker& worker) const {
    const Run& run = run_of(job);
    const uint64_t number = job - run.first_job;
    return run.tensor ? encode(run, number, worker) : hash_block(run, number, worker);
  }

  Result<EncodedChunk> hash_block(const Run& run, uint64_t number, TensorWorker& worker) const {
    const uint64_t offset = number * archive::kFingerprintBlock;
    const uint64_t size = run.source->end - run.source->begin;
    worker.value.resize(std::min(archive::kFingerprintBlock, size - offset));
    FINEDELTA_CHECK(run.shard->read(*run.source, offset, worker.value));
    EncodedChunk block;
    block.record.result_hash = xxh3_128(worker.value);
    return block;
  }

  Result<EncodedChunk> encode(const Run& run, uint64_t number, TensorWorker& worker) const {
    const archive::Tensor& tensor = *run.tensor;
    const unsigned unit = dtype_unit(tensor.dtype);
    const uint64_t first = number * plan_.index.units_per_chunk();
    worker.value.resize(archive::chunk_bytes(plan_.index, tensor, number));
    FINEDELTA_CHECK(run.shard->read(*run.source, first * unit, worker.value));
    EncodedChunk chunk;
    if (run.lossy) {
      FINEDELTA_CHECK(lose(run, first, worker, chunk));
    } else {
      FINEDELTA_CHECK(predict(run, first, worker));
      const ChunkInput input{
          .dtype = tensor.dtype, .value = worker.value, .prediction = worker.prediction};
      chunk.seal(encode_chunk(input, worker.scratch, chunk.stored).id, worker.value);
      if (lossy_) chunk.result = worker.value;
    }
    progress_.add(worker.value.size());
    return chunk;
  }

  // A lossy tensor is what its factors and steps make of the base.
  Status lose(const Run& run, uint64_t first, TensorWorker& worker, EncodedChunk& chunk) const {
    const archive::Tensor& tensor = *run.tensor;
    const TensorSource base = base_source(inputs_, plan_, tensor.prediction.bases()[0]);
    LossyPiece& piece = worker.lossy;
    const uint64_t columns = matrix_shape(tensor.shape).columns;
    FINEDELTA_CHECK(piece.work(*run.lossy, base, {tensor.dtype, columns, first}, worker.value));
    // By their bytes: a zero of the other sign is no error, but is not the same either.
    chunk.exact = std::ranges::equal(worker.value, piece.result());
    chunk.errors.add(tensor.dtype, worker.value, piece.result(), piece.base());
    chunk.result.assign(piece.result().begin(), piece.result().end());
    chunk.seal(store(piece, chunk), chunk.result);
    return {};
  }

  // Fills in the stored bytes; returns the coder.
  static uint8_t store(const LossyPiece& piece, EncodedChunk& chunk) {
    if (piece.all_zero()) return kIdenticalCoder.id;
    piece.encode(chunk.stored);
    if (chunk.stored.size() < chunk.result.size()) return kStepsCoder.id;
    chunk.stored = chunk.result;
    return kRawCoder.id;
  }

  Status predict(const Run& run, uint64_t first, TensorWorker& worker) const {
    const archive::Tensor& tensor = *run.tensor;
    worker.prediction.clear();
    if (!tensor.prediction) return {};
    std::vector<TensorSource> bases;
    for (const uint32_t base : tensor.prediction.bases()) {
      bases.push_back(base_source(inputs_, plan_, base));
    }
    worker.prediction.resize(worker.value.size());
    return worker.predictions.predict(tensor.prediction.formula, bases, tensor.dtype, first,
                                      worker.prediction,
                                      run.low_rank ? &run.low_rank->predictor : nullptr);
  }

  // In order of the jobs, never two at once.
  Status commit(uint64_t job, const EncodedChunk& chunk) {
    const Run& run = run_of(job);
    if (run.tensor) {
      if (run.factors() && job == run.first_job) FINEDELTA_CHECK(append_factors(run));
      if (lossy_) add_result(run, job - run.first_job, chunk);
      plan_.index.has_newer_coders |= coders()[chunk.record.coder].since > 1;
      return append_chunk(chunk, plan_.index, writer_);
    }
    add_block(run, job - run.first_job, chunk.record.result_hash);
    return {};
  }

  Status append_factors(const Run& run) {
    const std::vector<std::byte>& record = run.factors()->record;
    run.tensor->factors.size = record.size();
    run.tensor->factors.hash = xxh3_64(record);
    return writer_.append(record);
  }

  void add_result(const Run& run, uint64_t number, const EncodedChunk& chunk) {
    result_hashes_->add(*run.file, chunk.result);
    if (!run.lossy) return;
    if (run.lossy->factors || chunk.record.coder == kStepsCoder.id) {
      plan_.index.has_lossy_codes = true;
    }
    if (number == 0) {
      errors_ = {};
      exact_ = true;
    }
    errors_.add(chunk.errors);
    exact_ &= chunk.exact;
    if (number + 1 == run.tensor->chunks && !exact_) run.tensor->error = errors_.report();
  }

  void finish_results() {
    for (archive::File& file : plan_.index.files) {
      if (file.kind != archive::FileKind::kShard) continue;
      file.sha256 = result_hashes_->digest(file);
      const auto inexact = [](const archive::Tensor& tensor) { return tensor.error.has_value(); };
      if (std::ranges::any_of(file.tensors, inexact)) plan_.index.lossy = true;
    }
  }

  void add_block(const Run& run, uint64_t number, const Hash128& hash) {
    if (number == 0) fingerprint_.emplace(run.source->dtype, run.source->shape);
    fingerprint_->add_block(hash);
    if (number + 1 == archive::fingerprint_blocks(run.source->end - run.source->begin)) {
      plan_.index.base_tensors[run.base_tensor].fingerprint = fingerprint_->digest();
    }
  }

  Status finish_bases() {
    for (size_t i = 0; i < plan_.base_refs.size(); ++i) {
      const TensorRef& ref = plan_.base_refs[i];
      FINEDELTA_ASSIGN(plan_.index.base_tensors[i].sample,
                       sample_hash(inputs_.shard(ref), inputs_.tensor(ref)));
    }
    const std::vector<Hash128> identities = archive::base_identities(plan_.index);
    for (size_t i = 0; i < identities.size(); ++i) plan_.index.bases[i].identity = identities[i];
    return {};
  }

  const Inputs& inputs_;
  PackPlan& plan_;
  archive::Writer& writer_;
  const PackOptions& options_;
  ProgressMeter& progress_;
  const LossyChoice* lossy_;  // null: exact
  std::vector<Run> runs_;
  uint64_t jobs_ = 0;
  size_t tensors_ = 0;
  size_t most_bases_ = 1;  // that one tensor is predicted from
  std::vector<TensorWorker> workers_;
  ErrorSums errors_;   // of the lossy tensor whose chunks come in
  bool exact_ = true;  // likewise
  std::optional<ResultHashes> result_hashes_;
  std::optional<archive::Fingerprint> fingerprint_;  // of the base tensor whose blocks come in
};

}  // namespace

Status pack_tensors(const Inputs& inputs, PackPlan& plan, archive::Writer& writer,
                    const PackOptions& options, ProgressMeter& progress, const LossyChoice* lossy) {
  return TensorPacker(inputs, plan, writer, options, progress, lossy).run();
}

}  // namespace finedelta
