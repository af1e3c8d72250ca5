#include <set>
#include <string_view>

#include "archive/index_parts.h"
#include "base/relative_path.h"
#include "predict/predict.h"
#include "safetensors/header.h"

namespace finedelta::archive {

namespace {

constexpr uint64_t kLongestModelName = 512;
// Names stand in the headers of shards.
constexpr uint64_t kLongestName = safetensors::kLargestHeader;

void decode_general(RecordReader& reader, const Layout& layout, Index& index) {
  const uint8_t flags = reader.u8();
  if (flags > (layout.oldest_reader < 2 ? 1 : 7)) reader.reject("it has unknown flags");
  index.single_file = (flags & 1) != 0;
  index.lossy = (flags & 2) != 0;
  index.progressive = (flags & 4) != 0;
  if (index.progressive && !index.lossy) reader.reject("it has layers, but is not lossy");
  index.chunk_log2 = reader.u8();
  if (index.chunk_log2 < kLeastChunkLog2 || index.chunk_log2 > kLargestChunkLog2) {
    reader.reject("its chunk size is out of range");
  }
  if (index.progressive) index.rest_size = reader.varint();
  if (index.rest_size > layout.payload_size) {
    reader.reject("its second layer is larger than the payload");
  }
}

void decode_bases(RecordReader& reader, Index& index) {
  const uint64_t number = reader.count<Base>(2 + sizeof(Hash128));
  for (uint64_t i = 0; i < number && reader.ok(); ++i) {
    Base base;
    base.name = reader.text(kLongestModelName);
    base.revision = reader.text(kLongestModelName);
    base.identity.bytes = reader.array<16>();
    index.bases.push_back(std::move(base));
  }
}

void decode_base_tensors(RecordReader& reader, Index& index) {
  const uint64_t number = reader.count<BaseTensor>(4 + sizeof(Hash128) + sizeof(uint64_t));
  for (uint64_t i = 0; i < number && reader.ok(); ++i) {
    BaseTensor tensor;
    tensor.base = reader.place(index.bases.size());
    tensor.name = reader.text(kLongestName);
    tensor.dtype = reader.dtype();
    tensor.shape = reader.shape();
    if (reader.ok() && !safetensors::tensor_bytes(tensor.dtype, tensor.shape)) {
      reader.reject("a base tensor has an impossible shape");
    }
    index.base_tensors.push_back(std::move(tensor));
  }
  for (BaseTensor& tensor : index.base_tensors) tensor.fingerprint.bytes = reader.array<16>();
  for (BaseTensor& tensor : index.base_tensors) tensor.sample = reader.u64();
}

void decode_base_files(RecordReader& reader, Index& index) {
  const uint64_t number = reader.count<BaseFile>(3 + sizeof(Hash128));
  for (uint64_t i = 0; i < number && reader.ok(); ++i) {
    BaseFile file;
    file.base = reader.place(index.bases.size());
    file.path = reader.text(kLongestRelativePath);
    file.size = reader.varint();
    if (file.size > kLargestTotal) reader.reject("a base file is impossibly large");
    file.hash.bytes = reader.array<16>();
    index.base_files.push_back(std::move(file));
  }
}

// Larger factors than the tensor itself would be of no use.
void decode_factors(RecordReader& reader, Tensor& tensor) {
  tensor.factors.size = reader.varint();
  tensor.factors.hash = reader.u64();
  const uint64_t bytes = safetensors::tensor_bytes(tensor.dtype, tensor.shape).value_or(0);
  if (tensor.factors.size == 0 || tensor.factors.size > kLargestFactors ||
      tensor.factors.size >= bytes) {
    reader.reject("a predictor has factors of a size that they may not have");
  }
}

void decode_prediction(RecordReader& reader, const Index& index, Tensor& tensor) {
  const uint8_t predictor = reader.u8();
  if (predictor >= kPredictorCount) reader.reject("a predictor is unknown");
  if (!reader.ok()) return;
  Formula& formula = tensor.prediction.formula;
  formula.predictor = static_cast<Predictor>(predictor);
  std::array<TensorKind, kMostBases> kinds;
  for (size_t i = 0; i < formula.bases(); ++i) {
    tensor.prediction.base_tensors[i] = reader.place(index.base_tensors.size());
    if (!reader.ok()) return;
    const BaseTensor& base = index.base_tensors[tensor.prediction.base_tensors[i]];
    kinds[i] = {.dtype = base.dtype, .shape = base.shape};
    // Whoever describes a tensor repeats this name.
    reader.spend(base.name.size());
  }
  for (size_t i = 0; i < factor_count(formula.predictor); ++i) formula.factors[i] = reader.f32();
  if (formula.predictor == Predictor::kLowRank) decode_factors(reader, tensor);
  if (!has_valid_factors(formula)) reader.reject("a predictor has a factor that it may not have");
  if (!can_predict(formula.predictor, std::span(kinds).first(formula.bases()),
                   {.dtype = tensor.dtype, .shape = tensor.shape})) {
    reader.reject("a tensor can't be predicted from its base tensor");
  }
}

Tensor decode_tensor(RecordReader& reader, const Index& index) {
  Tensor tensor;
  tensor.name = reader.text(kLongestName);
  tensor.dtype = reader.dtype();
  tensor.shape = reader.shape();
  decode_prediction(reader, index, tensor);
  return tensor;
}

void decode_shard(RecordReader& reader, const Index& index, File& file) {
  const uint8_t form = reader.u8();
  if (form > 1) reader.reject("a header has an unknown form");
  file.canonical_header = form == 0;
  (file.canonical_header ? file.metadata : file.header) = reader.text(safetensors::kLargestHeader);
  const uint64_t number = reader.count<Tensor>(4);
  // The description of each tensor repeats the path.
  reader.spend(number * file.path.size());
  if (!reader.ok()) return;
  std::set<std::string_view> names;
  file.tensors.reserve(number);
  for (uint64_t i = 0; i < number && reader.ok(); ++i) {
    file.tensors.push_back(decode_tensor(reader, index));
    if (!names.insert(file.tensors.back().name).second) {
      reader.reject("two tensors of a shard have the same name");
    }
  }
}

void decode_file(RecordReader& reader, const Index& index, File& file) {
  switch (file.kind) {
    case FileKind::kShard:
      decode_shard(reader, index, file);
      break;
    case FileKind::kPatch:
      file.size = reader.varint();
      file.base_file = reader.place(index.base_files.size());
      break;
    case FileKind::kStored:
      file.size = reader.varint();
      break;
    case FileKind::kEmbedded:
      file.size = reader.varint();
      if (file.size > kLargestEmbedded) reader.reject("an embedded file is too large");
      break;
    case FileKind::kReference:
      file.base_file = reader.place(index.base_files.size());
      break;
    case FileKind::kEmptyDirectory:
      if (file.executable) reader.reject("a file is of an unknown kind");
      break;
  }
}

void decode_files(RecordReader& reader, Index& index) {
  const uint64_t number = reader.count<File>(3);
  for (uint64_t i = 0; i < number && reader.ok(); ++i) {
    File file;
    file.path = reader.text(kLongestRelativePath);
    const uint8_t kind = reader.u8();
    if ((kind & 15) > static_cast<unsigned>(FileKind::kEmptyDirectory) || kind > 31) {
      reader.reject("a file is of an unknown kind");
    }
    if (!reader.ok()) return;
    file.kind = static_cast<FileKind>(kind & 15);
    file.executable = (kind & 16) != 0;
    decode_file(reader, index, file);
    index.files.push_back(std::move(file));
  }
}

}  // namespace

void decode_records(RecordReader& reader, const Layout& layout, Index& index) {
  decode_general(reader, layout, index);
  decode_bases(reader, index);
  decode_base_tensors(reader, index);
  decode_base_files(reader, index);
  if (reader.varint() != 0) reader.reject("it has tables, which this version does not know");
  decode_files(reader, index);
}

void decode_losses(RecordReader& reader, Index& index) {
  std::vector<Tensor*> lossy;
  for (File& file : index.files) {
    if (file.kind == FileKind::kShard) file.original_sha256.bytes = reader.array<32>();
  }
  for (File& file : index.files) {
    for (Tensor& tensor : file.tensors) {
      const uint8_t mark = reader.u8();
      if (mark > 1) reader.reject("a tensor is neither exact nor lossy");
      if (mark == 1) lossy.push_back(&tensor);
    }
  }
  if (lossy.empty()) reader.reject("it is lossy, but no tensor is");
  for (Tensor* tensor : lossy) {
    StoredReport stored;
    for (uint16_t& number : stored) number = reader.u16();
    tensor->error = unpack_report(stored);
    if (!tensor->error) reader.reject("an error has a size that it may not have");
  }
}

}  // namespace finedelta::archive
