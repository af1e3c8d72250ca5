// Random pairs of checkpoints: pack, verify and unpack always give every byte back.

#include <rapidcheck.h>

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

enum class Change { kNone, kTuned, kNoise, kSparse, kGrown, kShrunk, kCast, kReshaped, kRenamed };

constexpr DType kAnyTypes[] = {DType::kBF16, DType::kF32, DType::kF16, DType::kU8,
                               DType::kI64,  DType::kF4,  DType::kF64, DType::kBool};

TestTensor sparse(TestTensor tensor, uint64_t seed) {
  if (tensor.bytes.empty()) return tensor;
  tensor.bytes[seed % tensor.bytes.size()] ^= static_cast<char>(1 << seed % 8);
  return tensor;
}

// With another number of rows: the first ones stay.
TestTensor resized(TestTensor tensor, uint64_t count, uint64_t seed) {
  if (tensor.shape.empty() || tensor.bytes.empty()) return tensor;
  const uint64_t row = tensor.bytes.size() / tensor.shape[0];
  if (row * tensor.shape[0] != tensor.bytes.size()) return tensor;
  const size_t kept = std::min<size_t>(row * count, tensor.bytes.size());
  tensor.bytes.resize(kept);
  tensor.bytes += noise(row * count - kept, seed);
  tensor.shape[0] = count;
  return tensor;
}

TestTensor cast(const TestTensor& tensor) {
  if (tensor.dtype != DType::kF32) return tensor;
  TestTensor out = tensor;
  out.dtype = DType::kBF16;
  out.bytes = convert_f32(DType::kBF16, tensor.bytes);
  return out;
}

TestTensor changed(const TestTensor& tensor, Change change, uint64_t seed) {
  switch (change) {
    case Change::kNone:
      return tensor;
    case Change::kTuned:
      return tuned(tensor, seed);
    case Change::kNoise:
      return make_tensor(tensor.name, tensor.dtype, tensor.shape, seed);
    case Change::kSparse:
      return sparse(tensor, seed);
    case Change::kGrown:
      return resized(tensor, tensor.shape.empty() ? 0 : tensor.shape[0] + seed % 50, seed);
    case Change::kShrunk:
      return resized(tensor, tensor.shape.empty() ? 0 : tensor.shape[0] / 2, seed);
    case Change::kCast:
      return cast(tensor);
    case Change::kReshaped: {
      TestTensor out = tensor;
      out.shape.insert(out.shape.begin(), 1);
      return out;
    }
    case Change::kRenamed:
      return renamed(tuned(tensor, seed), "model." + tensor.name);
  }
  return tensor;
}

std::vector<uint64_t> random_shape() {
  const auto rank = *rc::gen::inRange(0, 4);
  std::vector<uint64_t> shape;
  for (int i = 0; i < rank; ++i) shape.push_back(*rc::gen::inRange<uint64_t>(0, 40));
  // Large enough for a sample of its own, and now and then for a second chunk.
  if (rank > 0 && *rc::gen::inRange(0, 4) == 0) shape[0] = *rc::gen::inRange<uint64_t>(0, 20000);
  return shape;
}

TestTensor random_tensor(size_t number) {
  const DType dtype =
      *rc::gen::elementOf(std::vector<DType>(std::begin(kAnyTypes), std::end(kAnyTypes)));
  std::vector<uint64_t> shape = random_shape();
  if (!safetensors::tensor_bytes(dtype, shape)) shape.push_back(2);
  const std::string prefix = *rc::gen::element<std::string>("", "layers.0.", "\xc3\xa9", "\"\n");
  return make_tensor(prefix + std::to_string(number), dtype, shape, number);
}

class RoundtripProperty : public Roundtrip {
 protected:
  // Spreads the tensors over one to three shards.
  void write_shards(const std::string& directory, const std::vector<TestTensor>& tensors) const {
    std::filesystem::remove_all(dir_.path(directory));
    std::vector<std::vector<TestTensor>> shards(*rc::gen::inRange<size_t>(1, 4));
    for (const TestTensor& tensor : tensors) {
      shards[*rc::gen::inRange<size_t>(0, shards.size())].push_back(tensor);
    }
    for (size_t i = 0; i < shards.size(); ++i) {
      (void)write_shard(directory + "/" + std::to_string(i) + ".safetensors", shards[i]);
    }
  }
};

TEST_F(RoundtripProperty, AnyPairComesBack) {
  const bool ok = rc::check("round trip", [this] {
    std::vector<TestTensor> base;
    const auto count = *rc::gen::inRange<size_t>(0, 8);
    for (size_t i = 0; i < count; ++i) base.push_back(random_tensor(i));
    std::vector<TestTensor> fine_tune;
    for (const TestTensor& tensor : base) {
      const auto change = static_cast<Change>(*rc::gen::inRange(0, 9));
      fine_tune.push_back(changed(tensor, change, *rc::gen::inRange<uint64_t>(1, 1000)));
    }
    write_shards("base", base);
    write_shards("tuned", fine_tune);
    const std::string from = dir_.path("base");
    const std::string tuned_path = dir_.path("tuned");
    RC_ASSERT(error_text(try_pack({from}, tuned_path)) == "no error");
    RC_ASSERT(error_text(verify(archive_, {from})) == "no error");
    UnpackOptions options;
    options.force = true;
    RC_ASSERT(error_text(unpack({from}, archive_, dir_.path("out"), options)) == "no error");
    RC_ASSERT(difference(read_tree(tuned_path), read_tree(dir_.path("out"))) == "");
  });
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace finedelta
