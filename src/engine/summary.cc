#include "engine/summary.h"

#include "coder/coder.h"
#include "match/match.h"
#include "safetensors/header.h"

namespace finedelta {

namespace {

std::string_view kind_name(archive::FileKind kind) {
  switch (kind) {
    case archive::FileKind::kShard:
      return "shard";
    case archive::FileKind::kStored:
      return "stored";
    case archive::FileKind::kPatch:
      return "patch";
    case archive::FileKind::kEmbedded:
      return "embedded";
    case archive::FileKind::kReference:
      return "reference";
    case archive::FileKind::kEmptyDirectory:
      return "directory";
  }
  return "unknown";
}

// Parsing again costs little: hardly a file has a header that is not canonical.
std::string metadata_of(const archive::File& file) {
  if (file.canonical_header) return file.metadata;
  uint64_t data_size = 0;
  for (const archive::Tensor& tensor : file.tensors) data_size += tensor.bytes;
  const auto header = safetensors::parse_header(file.header, data_size, file.path);
  return header ? header->metadata : std::string();
}

uint64_t elements_of(const archive::Tensor& tensor) {
  uint64_t elements = 1;
  for (const uint64_t dimension : tensor.shape) elements *= dimension;
  return elements;
}

void add_chunks(const archive::Index& index, const archive::Tensor& tensor,
                TensorSummary& summary) {
  std::vector<uint64_t> uses(coders().size());
  summary.stored_bytes += tensor.factors.size;
  for (uint64_t i = 0; i < tensor.chunks; ++i) {
    const archive::Chunk& chunk = index.chunks[tensor.first_chunk + i];
    ++uses[chunk.coder];
    summary.stored_bytes += chunk.size;
    if (!index.progressive || !tensor.error) continue;
    summary.second_layer_bytes += index.rest[tensor.first_rest + i].size;
  }
  summary.stored_bytes += summary.second_layer_bytes;
  for (size_t id = 0; id < uses.size(); ++id) {
    if (uses[id] > 0) summary.coders.push_back({std::string(coders()[id].name), uses[id]});
  }
}

std::optional<TensorError> summarize_error(const std::optional<ErrorReport>& error) {
  if (!error) return std::nullopt;
  return TensorError{.relative_error = error->relative_error,
                     .largest_error = error->largest_error,
                     .cosine = error->cosine,
                     .energy_kept = double{error->cosine} * error->cosine,
                     .sign_agreement = error->sign_agreement,
                     .zeros = error->zeros};
}

TensorSummary summarize_tensor(const archive::Index& index, const archive::File& file,
                               const archive::Tensor& tensor, const std::vector<unsigned>& uses) {
  const Formula& formula = tensor.prediction.formula;
  TensorSummary out{.name = tensor.name,
                    .shard = file.path,
                    .dtype = std::string(dtype_name(tensor.dtype)),
                    .shape = tensor.shape,
                    .bytes = tensor.bytes,
                    .elements = elements_of(tensor),
                    .match = "none",
                    .predictor = std::string(predictor_name(formula.predictor)),
                    .factors = {formula.used_factors().begin(), formula.used_factors().end()}};
  out.error = summarize_error(tensor.error);
  add_chunks(index, tensor, out);
  const std::span<const uint32_t> bases = tensor.prediction.bases();
  if (bases.empty()) return out;
  const archive::BaseTensor& base = index.base_tensors[bases[0]];
  const safetensors::Tensor older{.name = base.name, .dtype = base.dtype, .shape = base.shape};
  const safetensors::Tensor newer{
      .name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape};
  out.match = describe_match(older, newer, uses[bases[0]] > 1);
  out.base_tensor = base.name;
  out.base = base.base;
  if (bases.size() == 1) return out;
  out.second_base_tensor = index.base_tensors[bases[1]].name;
  out.second_base = index.base_tensors[bases[1]].base;
  return out;
}

std::vector<TensorSummary> summarize_tensors(const archive::Index& index) {
  std::vector<unsigned> uses(index.base_tensors.size());
  for (const archive::File& file : index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      for (const uint32_t base : tensor.prediction.bases()) ++uses[base];
    }
  }
  std::vector<TensorSummary> out;
  for (const archive::File& file : index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      out.push_back(summarize_tensor(index, file, tensor, uses));
    }
  }
  return out;
}

}  // namespace

ArchiveSummary summarize(const archive::Archive& archive) {
  const archive::Index& index = archive.index;
  ArchiveSummary out{.format_version = archive.layout.version,
                     .single_file = index.single_file,
                     .lossy = archive.is_lossy(),
                     .progressive = index.progressive,
                     .second_layer_bytes = index.rest_size,
                     .archive_bytes = archive.layout.file_size(),
                     .payload_bytes = archive.layout.payload_size,
                     .side_bytes = archive.layout.side_size,
                     .index_bytes = archive.layout.index_size,
                     .tensors = summarize_tensors(index)};
  std::vector<uint64_t> used(index.bases.size());
  for (const archive::BaseTensor& tensor : index.base_tensors) ++used[tensor.base];
  for (size_t i = 0; i < index.bases.size(); ++i) {
    const archive::Base& base = index.bases[i];
    out.bases.push_back({.name = base.name,
                         .revision = base.revision,
                         .identity = to_hex(base.identity.bytes),
                         .tensors = used[i]});
  }
  for (const archive::File& file : index.files) {
    const bool directory = file.kind == archive::FileKind::kEmptyDirectory;
    out.input_bytes += file.size;
    out.files.push_back({.path = file.path,
                         .kind = std::string(kind_name(file.kind)),
                         .executable = file.executable,
                         .bytes = file.size,
                         .sha256 = directory ? std::string() : to_hex(archive.sha256(file).bytes)});
    if (file.kind != archive::FileKind::kShard) continue;
    out.files.back().metadata = metadata_of(file);
    if (!index.lossy) continue;
    if (index.progressive) {
      out.files.back().first_layer_sha256 = to_hex(file.sha256.bytes);
    } else {
      out.files.back().original_sha256 = to_hex(file.original_sha256.bytes);
    }
  }
  for (const TensorSummary& tensor : out.tensors) out.weight_bytes += tensor.bytes;
  return out;
}

}  // namespace finedelta
