// This library's coders, all of their path that is not input and output: chunks as pack makes them,
// the choice of a coder, and the hashes that the archive holds.
#include "archive/format.h"
#include "base/error.h"
#include "base/hash.h"
#include "codecs.h"

namespace finedelta::bench {

namespace {

// Each chunk as a part of its own.
std::vector<Part> chunks_of(std::span<const Part> parts) {
  std::vector<Part> chunks;
  for (const Part& part : parts) {
    const size_t largest = size_t{dtype_unit(part.dtype)} << archive::kChunkLog2;
    for (size_t at = 0; at < part.size; at += largest) {
      Part chunk{part.dtype, part.begin + at, std::min(largest, part.size - at), std::nullopt};
      if (part.base_begin) chunk.base_begin = *part.base_begin + at;
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

class FinedeltaCodec : public Codec {
 public:
  explicit FinedeltaCodec(const Coder* only) : only_(only) {}

  void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) override {
    for (const Part& part : chunks_of(parts)) {
      const ChunkInput chunk{part.dtype, value.subspan(part.begin, part.size),
                             part.prediction(base)};
      chunk_.clear();
      const Coder& coder = only_ == nullptr ? encode_chunk(chunk, scratch_, chunk_) : force(chunk);
      stored.put(coder.id);
      stored.put(static_cast<uint32_t>(chunk_.size()));
      stored.put(xxh3_64(chunk_));
      stored.put(xxh3_128(chunk.value));
      stored.append(chunk_);
    }
  }

  Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                MutableBytes value) override {
    ByteReader reader(stored);
    for (const Part& part : chunks_of(parts)) {
      FINEDELTA_CHECK(decode_chunk(part, base, reader, value.subspan(part.begin, part.size)));
    }
    return {};
  }

 private:
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

  Status decode_chunk(const Part& part, Bytes base, ByteReader& reader, MutableBytes value) {
    const uint8_t id = reader.u8();
    const Bytes head = reader.bytes(sizeof(uint32_t) + sizeof(uint64_t) + sizeof(Hash128));
    if (!reader.ok() || id >= coders().size()) return fail(ErrorCode::kDamaged, "no such chunk");
    const Bytes stored = reader.bytes(load<uint32_t>(head.data()));
    if (xxh3_64(stored) != load<uint64_t>(head.data() + 4)) {
      return fail(ErrorCode::kDamaged, "the stored bytes are damaged");
    }
    FINEDELTA_CHECK(
        coders()[id].decode(stored, part.dtype, part.prediction(base), value, scratch_));
    if (xxh3_128(value) != load<Hash128>(head.data() + 12)) {
      return fail(ErrorCode::kWrongBase, "the result is another");
    }
    return {};
  }

  const Coder* only_;
  CoderScratch scratch_;
  std::vector<std::byte> chunk_;
};

}  // namespace

std::unique_ptr<Codec> make_finedelta(const Coder* only) {
  return std::make_unique<FinedeltaCodec>(only);
}

}  // namespace finedelta::bench
