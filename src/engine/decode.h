// Decoding one chunk: stored bytes and base in, checked bytes out. The heart of unpack, verify and
// random access.
#ifndef FINEDELTA_ENGINE_DECODE_H_
#define FINEDELTA_ENGINE_DECODE_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "archive/archive.h"
#include "coder/coder.h"
#include "engine/base_set.h"
#include "finedelta/result.h"
#include "predict/predict.h"

namespace finedelta {

// Counts what was read, for those who want to know; relaxed, any thread.
struct ReadCount {
  std::atomic<uint64_t> archive{0};
  std::atomic<uint64_t> base{0};
};

// Archive and bases must outlive the decoder. One for each thread.
class Decoder {
 public:
  Decoder(const archive::Archive& archive, const TensorBases& bases, ReadCount* count = nullptr)
      : archive_(archive), bases_(bases), count_(count) {}

  // Fills `value` (as long as the chunk) with chunk `number` of a tensor whose base tensors have
  // been required, of all layers that are read. The XXH3-128 of `value` is checked: kDamaged when
  // the archive is at fault, kWrongBase when the base is.
  Status tensor_chunk(const archive::Tensor& tensor, uint64_t number, MutableBytes value);

  // The same for a chunk of a side stream, by its place in Index::chunks; `file` is the stored or
  // patched file it belongs to, or null for the bundle. `bases` has the files that patches need.
  Status side_chunk(uint64_t number, const archive::File* file, const BaseSet& bases,
                    MutableBytes value);

 private:
  Status first_layer_chunk(const archive::Tensor& tensor, uint64_t number, MutableBytes value);
  Status second_layer_chunk(const archive::Tensor& tensor, uint64_t number, MutableBytes value);
  Status read_prediction(const archive::Tensor& tensor, uint64_t number, size_t size);
  Result<const LowRankPredictor*> low_rank_of(const archive::Tensor& tensor);
  Status locate_error(const archive::Chunk& chunk, std::string_view what, Status error) const;
  [[nodiscard]] std::unexpected<Error> fail_result(const archive::Tensor& tensor) const;

  const archive::Archive& archive_;
  const TensorBases& bases_;
  ReadCount* count_;
  CoderScratch scratch_;
  std::vector<std::byte> stored_;
  std::vector<std::byte> prefix_;
  std::vector<std::byte> factors_;
  std::vector<std::byte> prediction_;
  std::vector<std::byte> first_layer_;
  PredictionReader predictions_;
  const archive::Tensor* low_rank_tensor_ = nullptr;  // whose factors were read last
  std::optional<LowRankPredictor> low_rank_;
};

// The most memory that one Decoder and one result take.
[[nodiscard]] uint64_t decoder_bytes(const archive::Index& index);

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_DECODE_H_
