#include "finedelta/apply.h"

#include <atomic>
#include <mutex>
#include <optional>

#include "apply/model_in_memory.h"
#include "archive/archive.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "coder/identical/identical.h"
#include "coder/sparse/sparse.h"
#include "engine/decode.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

// What one thread works with.
struct Worker {
  Worker(const archive::Archive& archive, const TensorBases& bases) : decoder(archive, bases) {}

  Decoder decoder;
  std::vector<std::byte> stored;
  std::vector<std::byte> value;
  SparseUnits sparse;
  std::vector<std::byte> changed;
};

enum class Progressed : uint8_t {
  kNothing,  // the piece stays as it is
  kChecked,  // what it is to become was decoded and found right
  kChanged,  // it has become that
};

// A chunk of a tensor in memory.
struct Piece {
  const archive::Tensor* tensor;
  uint64_t number;
  MutableBytes data;
  Progressed progressed = Progressed::kNothing;
  // Of one that was changed in the first pass: where, and what was there.
  std::vector<uint32_t> places;
  std::vector<std::byte> before;
};

class Update {
 public:
  Update(const archive::Archive& archive, const ModelInMemory& model, const ApplyOptions& options)
      : archive_(archive), model_(model), options_(options) {
    for (const archive::File& file : archive.index.files) {
      for (const archive::Tensor& tensor : file.tensors) add(tensor);
    }
    const unsigned threads =
        affordable_workers(options, decoder_bytes(archive.index), archive.layout.file_size());
    for (unsigned i = 0; i < threads; ++i) workers_.emplace_back(archive, model);
  }

  // Checks everything; what can be taken back is changed already.
  Status first_pass() {
    ProgressMeter progress(options_.progress, report_.bytes);
    Status status = for_each(options_.cancel, [&](Piece& piece, Worker& worker) -> Status {
      progress.add(piece.data.size());
      Status result = first_pass(piece, worker);
      if (!result && result.error().code == ErrorCode::kDamaged) note_difference(piece);
      return result;
    });
    if (status) return status;
    take_back();
    return status.error().code == ErrorCode::kDamaged ? blame(std::move(status)) : status;
  }

  // The rest of the changes. Can't be cancelled.
  Status second_pass() {
    return for_each(nullptr, [&](Piece& piece, Worker& worker) -> Status {
      if (piece.progressed != Progressed::kChecked || decode_in_place(piece, worker)) return {};
      return fail(ErrorCode::kFailure,
                  "tensor {} was changed by someone else meanwhile: the model is of no use now, "
                  "load it again",
                  quote(piece.tensor->name));
    });
  }

  ApplyReport report() {
    const archive::Tensor* last = nullptr;
    for (const Piece& piece : pieces_) {
      if (piece.progressed == Progressed::kNothing || piece.tensor == last) continue;
      ++report_.changed_tensors;
      last = piece.tensor;
    }
    report_.bytes_read = bytes_read_;
    report_.lossy = archive_.is_lossy();
    return report_;
  }

 private:
  void add(const archive::Tensor& tensor) {
    ++report_.tensors;
    report_.bytes += tensor.bytes;
    const MutableBytes data = model_.data(tensor);
    uint64_t begin = 0;
    for (uint64_t number = 0; number < tensor.chunks; ++number) {
      const uint64_t size = archive::chunk_bytes(archive_.index, tensor, number);
      pieces_.push_back({.tensor = &tensor, .number = number, .data = data.subspan(begin, size)});
      begin += size;
    }
  }

  Status for_each(const Cancellation* cancel,
                  const std::function<Status(Piece& piece, Worker& worker)>& work) {
    return parallel_for(
        pieces_.size(), static_cast<unsigned>(workers_.size()), cancel,
        [&](uint64_t i, unsigned worker) { return work(pieces_[i], workers_[worker]); });
  }

  [[nodiscard]] bool is_full() const { return options_.check == ApplyCheck::kFull; }

  // Whether the prediction is what is in memory, and nothing follows the first layer.
  [[nodiscard]] bool is_plain(const archive::Tensor& tensor) const {
    return tensor.prediction && tensor.prediction.formula.predictor == Predictor::kBase &&
           !archive_.reads_rest_of(tensor);
  }

  [[nodiscard]] const archive::Chunk& chunk_of(const Piece& piece) const {
    return archive_.index.chunks[piece.tensor->first_chunk + piece.number];
  }
  [[nodiscard]] bool is_of(const Coder& coder, const Piece& piece) const {
    return is_plain(*piece.tensor) && chunk_of(piece).coder == coder.id;
  }

  [[nodiscard]] bool comes_out(const Piece& piece, Bytes value) const {
    return xxh3_128(value) == archive_.last_chunk(*piece.tensor, piece.number).result_hash;
  }

  Status first_pass(Piece& piece, Worker& worker) {
    if (is_of(kIdenticalCoder, piece)) return check_identical(piece);
    if (is_of(kSparseCoder, piece)) return change_sparse(piece, worker);
    bytes_read_ += piece.data.size();
    worker.value.resize(piece.data.size());
    FINEDELTA_CHECK(worker.decoder.tensor_chunk(*piece.tensor, piece.number, worker.value));
    piece.progressed = Progressed::kChecked;
    return {};
  }

  Status check_identical(const Piece& piece) {
    if (!is_full()) return {};
    bytes_read_ += piece.data.size();
    return comes_out(piece, piece.data) ? Status() : fail_result(piece);
  }

  Status change_sparse(Piece& piece, Worker& worker) {
    const unsigned unit = dtype_unit(piece.tensor->dtype);
    const std::vector<uint32_t>& places = worker.sparse.places;
    FINEDELTA_CHECK(archive_.read_chunk(chunk_of(piece), worker.stored));
    FINEDELTA_CHECK(parse_sparse(worker.stored, unit, piece.data.size() / unit, worker.sparse));
    if (!sparse_result(worker.sparse, unit, piece.data, worker.changed)) return fail_result(piece);
    if (is_full()) {
      bytes_read_ += piece.data.size();
      worker.value.assign(piece.data.begin(), piece.data.end());
      place_units(places, unit, worker.changed, worker.value);
      if (!comes_out(piece, worker.value)) return fail_result(piece);
    }
    piece.places.assign(places.begin(), places.end());
    take_units(places, unit, piece.data, piece.before);
    place_units(places, unit, worker.changed, piece.data);
    piece.progressed = Progressed::kChanged;
    bytes_read_ += is_full() ? piece.data.size() : worker.changed.size();
    return !is_full() || comes_out(piece, piece.data) ? Status() : fail_result(piece);
  }

  void take_back() {
    for (Piece& piece : pieces_) {
      if (piece.progressed != Progressed::kChanged) continue;
      place_units(piece.places, dtype_unit(piece.tensor->dtype), piece.before, piece.data);
    }
  }

  [[nodiscard]] std::unexpected<Error> fail_result(const Piece& piece) const {
    return fail(ErrorCode::kDamaged, "{}: tensor {} does not come out as it was packed",
                quote(archive_.file.path()), quote(piece.tensor->name));
  }

  // Remembers the first of the pieces that do not come out.
  void note_difference(const Piece& piece) {
    const std::lock_guard lock(mutex_);
    if (different_ == nullptr || &piece < different_) different_ = &piece;
  }

  // Says why a piece does not come out: the tensor in memory is another one, or the archive is
  // damaged. That can be told only when no piece is changed.
  Status blame(Status damage) const {
    for (const uint32_t base : different_->tensor->prediction.bases()) {
      FINEDELTA_CHECK(model_.compare_tensor(base));
    }
    return damage;
  }

  // Whether the piece is what it must be now.
  bool decode_in_place(const Piece& piece, Worker& worker) {
    bytes_read_ += piece.data.size();
    worker.value.resize(piece.data.size());
    if (!worker.decoder.tensor_chunk(*piece.tensor, piece.number, worker.value)) return false;
    std::ranges::copy(worker.value, piece.data.begin());
    if (!is_full()) return true;
    bytes_read_ += piece.data.size();
    return comes_out(piece, piece.data);
  }

  const archive::Archive& archive_;
  const ModelInMemory& model_;
  const ApplyOptions& options_;
  std::vector<Piece> pieces_;
  std::vector<Worker> workers_;
  std::atomic<uint64_t> bytes_read_ = 0;
  std::mutex mutex_;
  const Piece* different_ = nullptr;  // guarded by mutex_
  ApplyReport report_;
};

// The archive, in memory from now on.
Result<archive::Archive> open_in_memory(const std::string& path, const ApplyOptions& options) {
  FINEDELTA_ASSIGN(archive::Archive archive, archive::Archive::open(path, options.memory));
  if (archive.layout.file_size() > options.memory / 2) {
    return fail(ErrorCode::kFailure,
                "{} has {} bytes, too many to be kept in memory; raise the limit with --memory",
                quote(path), archive.layout.file_size());
  }
  FINEDELTA_ASSIGN(archive.file, archive.file.copy_in_memory());
  FINEDELTA_CHECK(archive.set_layers(options.layers));
  return archive;
}

}  // namespace

Result<ApplyReport> apply(const std::string& archive, std::span<const TensorInMemory> tensors,
                          const ApplyOptions& options) {
  return guarded([&]() -> Result<ApplyReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(const archive::Archive opened, open_in_memory(archive, options));
    FINEDELTA_ASSIGN(const ModelInMemory model, ModelInMemory::match(opened, tensors));
    Update update(opened, model, options);
    FINEDELTA_CHECK(update.first_pass());
    FINEDELTA_CHECK(update.second_pass());
    return update.report();
  });
}

}  // namespace finedelta
