#include "engine/decode.h"

#include <algorithm>

#include "base/error.h"
#include "coder/sparse/sparse.h"
#include "coder/steps/steps.h"
#include "side/side_codec.h"

namespace finedelta {

namespace {

constexpr uint64_t kDecoderState = uint64_t{1} << 20;  // zstd's and the like

// What one tensor's factors may take beside their record, of the memory limit.
constexpr uint64_t kFactorsShare = 2;

// About the most that the factors of a tensor take. Of the adaptive code a value takes less than an
// eighth of a bit only where hardly one is not zero; `read_low_rank` keeps to the memory limit.
constexpr uint64_t kValuesPerByte = 64;
uint64_t factors_bytes(const archive::Tensor& tensor) {
  if (tensor.factors.size == 0) return 0;
  const MatrixShape matrix = matrix_shape(tensor.shape);
  const uint64_t most = kValuesPerByte * tensor.factors.size;
  const uint64_t values = kLargestRank * std::min(matrix.rows + matrix.columns, most);
  // The record, and as its bits are read.
  return 2 * tensor.factors.size + kBytesOfLowRankValue * std::min(values, most);
}

bool has_chunks_of(const Coder& coder, const archive::Index& index) {
  const auto is_of = [&](const archive::Chunk& chunk) { return chunk.coder == coder.id; };
  return std::ranges::any_of(std::span(index.chunks).first(index.tensor_chunks), is_of) ||
         std::ranges::any_of(index.rest, is_of);
}

}  // namespace

uint64_t decoder_bytes(const archive::Index& index) {
  uint64_t unit = 1;
  size_t bases = 1;
  uint64_t factors = 0;
  for (const archive::File& file : index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      unit = std::max<uint64_t>(unit, dtype_unit(tensor.dtype));
      bases = std::max(bases, tensor.prediction.bases().size());
      factors = std::max(factors, factors_bytes(tensor));
      for (const uint32_t base : tensor.prediction.bases()) {
        unit = std::max<uint64_t>(unit, dtype_unit(index.base_tensors[base].dtype));
      }
    }
  }
  // Stored bytes, bases (and one as the tensor's type), prediction, planes and the result.
  const uint64_t units = index.units_per_chunk();
  const uint64_t layers = index.progressive ? 1 : 0;
  const uint64_t steps = has_chunks_of(kStepsCoder, index) ? kStepsBytesPerUnit * units : 0;
  const uint64_t sparse = has_chunks_of(kSparseCoder, index) ? kSparseBytesPerUnit * units : 0;
  const uint64_t tensor = (5 + bases + layers) * unit * units +
                          wavelet::scratch_bytes(units, unit) + steps + sparse + factors;
  const uint64_t side = 2 * archive::kSideChunk + kLargestPrefix;
  return std::max(tensor, side) + kDecoderState;
}

// Says where in the archive a decoder's complaint comes from.
Status Decoder::locate_error(const archive::Chunk& chunk, std::string_view what,
                             Status error) const {
  if (error) return error;
  return fail(error.error().code, "{}: {} in the {} bytes at {}: {}", quote(archive_.file.path()),
              what, chunk.size, chunk.offset, error.error().message);
}

std::unexpected<Error> Decoder::fail_result(const archive::Tensor& tensor) const {
  return fail(ErrorCode::kDamaged, "{}: tensor {} does not come out as it was packed",
              quote(archive_.file.path()), quote(tensor.name));
}

Status Decoder::read_prediction(const archive::Tensor& tensor, uint64_t number, size_t size) {
  prediction_.clear();
  if (!tensor.prediction) return {};
  std::vector<TensorSource> bases;
  for (const uint32_t base : tensor.prediction.bases()) {
    const archive::BaseTensor& record = archive_.index.base_tensors[base];
    bases.push_back({.dtype = record.dtype,
                     .size = *safetensors::tensor_bytes(record.dtype, record.shape),
                     .read = [this, base](uint64_t offset, MutableBytes to) {
                       if (count_) count_->base += to.size();
                       return bases_.read(base, offset, to);
                     }});
  }
  FINEDELTA_ASSIGN(const LowRankPredictor* const low_rank, low_rank_of(tensor));
  prediction_.resize(size);
  return predictions_.predict(tensor.prediction.formula, bases, tensor.dtype,
                              number << archive_.index.chunk_log2, prediction_, low_rank);
}

// The factors of a tensor, kept for its next chunk; null where it has none.
Result<const LowRankPredictor*> Decoder::low_rank_of(const archive::Tensor& tensor) {
  if (tensor.prediction.formula.predictor != Predictor::kLowRank) return nullptr;
  if (low_rank_tensor_ == &tensor) return &*low_rank_;
  low_rank_tensor_ = nullptr;
  low_rank_.reset();
  FINEDELTA_CHECK(archive_.read_factors(tensor.factors, factors_));
  if (count_) count_->archive += factors_.size();
  auto predictor = read_low_rank(factors_, tensor.shape, archive_.memory / kFactorsShare);
  if (!predictor) {
    return fail(predictor.error().code, "{}: {} in the {} bytes at {}: {}",
                quote(archive_.file.path()), quote(tensor.name), tensor.factors.size,
                tensor.factors.offset, predictor.error().message);
  }
  low_rank_ = *std::move(predictor);
  low_rank_tensor_ = &tensor;
  return &*low_rank_;
}

Status Decoder::tensor_chunk(const archive::Tensor& tensor, uint64_t number, MutableBytes value) {
  return archive_.reads_rest_of(tensor) ? second_layer_chunk(tensor, number, value)
                                        : first_layer_chunk(tensor, number, value);
}

Status Decoder::second_layer_chunk(const archive::Tensor& tensor, uint64_t number,
                                   MutableBytes value) {
  first_layer_.resize(value.size());
  FINEDELTA_CHECK(first_layer_chunk(tensor, number, first_layer_));
  const archive::Chunk& chunk = archive_.index.rest[tensor.first_rest + number];
  FINEDELTA_CHECK(archive_.read_chunk(chunk, stored_));
  if (count_) count_->archive += chunk.size;
  FINEDELTA_CHECK(locate_error(
      chunk, quote(tensor.name),
      coders()[chunk.coder].decode(stored_, tensor.dtype, first_layer_, value, scratch_)));
  if (xxh3_128(value) == chunk.result_hash) return {};
  return fail_result(tensor);
}

Status Decoder::first_layer_chunk(const archive::Tensor& tensor, uint64_t number,
                                  MutableBytes value) {
  const archive::Chunk& chunk = archive_.index.chunks[tensor.first_chunk + number];
  FINEDELTA_CHECK(archive_.read_chunk(chunk, stored_));
  if (count_) count_->archive += chunk.size;
  const Coder& coder = coders()[chunk.coder];
  // Raw chunks hold their result: the base is not read for them.
  if (coder.uses_prediction) {
    FINEDELTA_CHECK(read_prediction(tensor, number, value.size()));
  }
  const Status decoded = coder.decode(stored_, tensor.dtype, prediction_, value, scratch_);
  if (decoded && xxh3_128(value) == chunk.result_hash) return {};
  // What does not decode may be the base's fault too.
  if (coder.uses_prediction) {
    for (const uint32_t base : tensor.prediction.bases()) {
      FINEDELTA_CHECK(bases_.check_tensor(base));
    }
  }
  if (!decoded) return locate_error(chunk, quote(tensor.name), decoded);
  return fail_result(tensor);
}

Status Decoder::side_chunk(uint64_t number, const archive::File* file, const BaseSet& bases,
                           MutableBytes value) {
  const archive::Chunk& chunk = archive_.index.chunks[number];
  FINEDELTA_CHECK(archive_.read_chunk(chunk, stored_));
  const auto coder = static_cast<SideCoder>(chunk.coder);
  prefix_.clear();
  if (coder == SideCoder::kPatch) {
    const archive::Prefix& prefix = archive_.index.prefixes.at(number);
    prefix_.resize(prefix.size);
    FINEDELTA_CHECK(bases.file(file->base_file).read(prefix.offset, prefix_));
  }
  Status decoded = decode_side_chunk(coder, stored_, prefix_, scratch_.decoder, value);
  if (decoded && xxh3_128(value) == chunk.result_hash) return {};
  // A patch that does not decode may be the base file's fault.
  if (coder == SideCoder::kPatch) FINEDELTA_CHECK(bases.check_file(file->base_file));
  if (decoded) decoded = fail(ErrorCode::kDamaged, "it does not come out as it was packed");
  return locate_error(chunk, file ? quote(file->path) : "an embedded file", decoded);
}

}  // namespace finedelta
