// This library's coders, all of their path that is not input and output: chunks as pack makes them,
// the choice of a coder, and the hashes that the archive holds; at a level, factors of low rank
// too.
#include "archive/format.h"
#include "base/error.h"
#include "base/hash.h"
#include "codecs.h"
#include "engine/low_rank_search.h"
#include "kernels/cast.h"

namespace finedelta::bench {

namespace {

// The units of a part in one chunk.
struct Span {
  size_t begin = 0;  // bytes, from the beginning of the part
  size_t size = 0;
};

std::vector<Span> chunks_of(const Part& part) {
  std::vector<Span> chunks;
  const size_t largest = size_t{dtype_unit(part.dtype)} << archive::kChunkLog2;
  for (size_t at = 0; at < part.size; at += largest) {
    chunks.push_back({at, std::min(largest, part.size - at)});
  }
  return chunks;
}

bool may_be_low_rank(const Part& part) {
  return part.base_begin && part.columns > 0 && is_castable(part.dtype);
}

std::vector<uint64_t> shape_of(const Part& part) {
  return {part.size / dtype_unit(part.dtype) / part.columns, part.columns};
}

TensorSource source_of(DType dtype, Bytes bytes) {
  return {.dtype = dtype, .size = bytes.size(), .read = [bytes](uint64_t offset, MutableBytes to) {
            std::ranges::copy(bytes.subspan(offset, to.size()), to.begin());
            return Status();
          }};
}

class FinedeltaCodec : public Codec {
 public:
  // Every chunk with `only` if it is not null; nothing is searched for if `level` is 0.
  FinedeltaCodec(const Coder* only, int level) : only_(only), level_(level) {
    if (level > 0) scratch_.level = level;
  }

  void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) override {
    for (const Part& part : parts) {
      const auto found = search(part, base, value);
      if (level_ > 0) put_factors(found ? Bytes(found->record) : Bytes{}, stored);
      const LowRankPredictor* const low_rank = found ? &found->predictor : nullptr;
      for (const Span& span : chunks_of(part)) {
        const ChunkInput chunk{.dtype = part.dtype,
                               .value = value.subspan(part.begin + span.begin, span.size),
                               .prediction = predict(part, span, base, low_rank)};
        encode_chunk(chunk, stored);
      }
    }
  }

  Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                MutableBytes value) override {
    ByteReader reader(stored);
    for (const Part& part : parts) {
      FINEDELTA_ASSIGN(const auto found, read_factors(part, reader));
      const LowRankPredictor* const low_rank = found ? &*found : nullptr;
      for (const Span& span : chunks_of(part)) {
        FINEDELTA_CHECK(decode_chunk(part.dtype, predict(part, span, base, low_rank), reader,
                                     value.subspan(part.begin + span.begin, span.size)));
      }
    }
    return {};
  }

 private:
  std::optional<LowRankAnswer> search(const Part& part, Bytes base, Bytes value) {
    if (level_ == 0 || !may_be_low_rank(part)) return std::nullopt;
    const std::vector<uint64_t> shape = shape_of(part);
    const LowRankQuestion question{
        .tensor = source_of(part.dtype, value.subspan(part.begin, part.size)),
        .shape = shape,
        .base = source_of(part.dtype, part.prediction(base)),
        .base_shape = shape,
        .formula = {.predictor = Predictor::kBase}};
    auto answer = find_low_rank(question, level_, sampler_);
    return answer ? *std::move(answer) : std::nullopt;  // nothing that is in memory can't be read
  }

  static void put_factors(Bytes record, Sink& stored) {
    stored.put(static_cast<uint32_t>(record.size()));
    if (!record.empty()) stored.put(xxh3_64(record));
    stored.append(record);
  }

  Result<std::optional<LowRankPredictor>> read_factors(const Part& part, ByteReader& reader) const {
    const uint32_t size = level_ > 0 ? reader.u32() : 0;
    if (size == 0) return std::nullopt;
    const uint64_t hash = reader.u64();
    const Bytes record = reader.bytes(size);
    if (!reader.ok() || xxh3_64(record) != hash || !may_be_low_rank(part)) {
      return fail(ErrorCode::kDamaged, "the factors are damaged");
    }
    return read_low_rank(record, shape_of(part), kLowRankSearchBytes);
  }

  // Valid until the next call.
  Bytes predict(const Part& part, const Span& span, Bytes base, const LowRankPredictor* low_rank) {
    if (!part.base_begin) return {};
    const Bytes plain = part.prediction(base).subspan(span.begin, span.size);
    if (low_rank == nullptr) return plain;
    prediction_.resize(span.size);
    low_rank->predict(part.dtype, span.begin / dtype_unit(part.dtype), plain, prediction_);
    return prediction_;
  }

  void encode_chunk(const ChunkInput& chunk, Sink& stored) {
    chunk_.clear();
    const Coder& coder =
        only_ == nullptr ? finedelta::encode_chunk(chunk, scratch_, chunk_) : force(chunk);
    stored.put(coder.id);
    stored.put(static_cast<uint32_t>(chunk_.size()));
    stored.put(xxh3_64(chunk_));
    stored.put(xxh3_128(chunk.value));
    stored.append(chunk_);
  }

  // Encodes with `only_`, or raw where that does not fit or gains nothing.
  const Coder& force(const ChunkInput& chunk) {
    if (only_->analyze(chunk, scratch_)) {
      only_->encode(chunk, scratch_, chunk_);
      if (chunk_.size() < chunk.value.size()) return *only_;
      chunk_.clear();
    }
    const Coder& raw = coders()[0];
    raw.encode(chunk, scratch_, chunk_);
    return raw;
  }

  Status decode_chunk(DType dtype, Bytes prediction, ByteReader& reader, MutableBytes value) {
    const uint8_t id = reader.u8();
    const Bytes head = reader.bytes(sizeof(uint32_t) + sizeof(uint64_t) + sizeof(Hash128));
    if (!reader.ok() || id >= coders().size()) return fail(ErrorCode::kDamaged, "no such chunk");
    const Bytes stored = reader.bytes(load<uint32_t>(head.data()));
    if (xxh3_64(stored) != load<uint64_t>(head.data() + 4)) {
      return fail(ErrorCode::kDamaged, "the stored bytes are damaged");
    }
    FINEDELTA_CHECK(coders()[id].decode(stored, dtype, prediction, value, scratch_));
    if (xxh3_128(value) != load<Hash128>(head.data() + 12)) {
      return fail(ErrorCode::kWrongBase, "the result is another");
    }
    return {};
  }

  const Coder* const only_;
  const int level_;
  Sampler sampler_;
  CoderScratch scratch_;
  std::vector<std::byte> prediction_;
  std::vector<std::byte> chunk_;
};

}  // namespace

std::unique_ptr<Codec> make_finedelta(const Coder* only) {
  return std::make_unique<FinedeltaCodec>(only, 0);
}

std::unique_ptr<Codec> make_finedelta_at(int level) {
  return std::make_unique<FinedeltaCodec>(nullptr, level);
}

}  // namespace finedelta::bench
