#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "pair.h"

namespace finedelta::bench {

namespace {

Status append_tensor(const Shard& shard, const safetensors::Tensor& tensor, Model& model) {
  const uint64_t begin = model.data.size();
  const uint64_t size = tensor.end - tensor.begin;
  model.data.resize(begin + size);
  FINEDELTA_CHECK(shard.read(tensor, 0, MutableBytes(model.data).subspan(begin)));
  model.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, begin, begin + size});
  return {};
}

Status write_model(const std::string& path, const Model& model) {
  const std::string header = safetensors::canonical_header({}, model.tensors);
  ByteWriter length;
  length.u64(header.size());
  std::ofstream file(path, std::ios::binary);
  for (const Bytes bytes : {length.view(), as_bytes(header), Bytes(model.data)}) {
    const std::string_view text = as_text(bytes);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  file.close();
  if (!file) return fail(ErrorCode::kFailure, "cannot write {}", quote(path));
  return {};
}

}  // namespace

Result<Model> load_model(const std::string& path) {
  FINEDELTA_ASSIGN(const Checkpoint checkpoint, open_checkpoint(path, {.role = Role::kBase}));
  uint64_t size = 0;
  for (const Shard& shard : checkpoint.shards) {
    size += shard.file.size() - shard.header.data_offset();
  }
  Model model;
  model.data.reserve(size);
  for (const Shard& shard : checkpoint.shards) {
    for (const auto& tensor : shard.header.tensors) {
      FINEDELTA_CHECK(append_tensor(shard, tensor, model));
    }
  }
  return model;
}

Status write_pair(const std::string& directory, const Pair& pair) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    return fail(ErrorCode::kFailure, "cannot make {}: {}", quote(directory), error.message());
  FINEDELTA_CHECK(write_model(directory + "/base.safetensors", pair.base));
  return write_model(directory + "/fine-tune.safetensors", pair.fine_tune);
}

}  // namespace finedelta::bench
