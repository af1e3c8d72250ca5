// An archive is never larger than the fine-tune by more than 0.1 % and 4 KiB.

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

class RoundtripSize : public Roundtrip {
 protected:
  void expect_small(const std::vector<std::string>& bases, const std::string& fine_tune) {
    const auto summary = roundtrip(bases, fine_tune);
    const uint64_t raw = summary.input_bytes;
    EXPECT_LE(summary.archive_bytes, raw + raw / 1000 + 4096) << raw;
  }
};

std::vector<TestTensor> noise_tensors(uint64_t seed, DType dtype, uint64_t bytes) {
  const std::vector<uint64_t> shape = {bytes * 8 / dtype_bits(dtype)};
  return {{"w", dtype, shape, noise(bytes, seed)}};
}

TEST_F(RoundtripSize, NoiseOfEveryTypeAloneAndAgainstNoise) {
  for (const DType dtype : {DType::kU8, DType::kF4, DType::kBF16, DType::kF32, DType::kC64}) {
    for (const uint64_t bytes : {0, 8, 4096, 1 << 20, 5'000'000}) {
      const auto fine_tune = write_shard("tuned.safetensors", noise_tensors(1, dtype, bytes));
      expect_small({}, fine_tune);
      expect_small({write_shard("base.safetensors", noise_tensors(2, dtype, bytes))}, fine_tune);
    }
  }
}

// The match is decided by four windows of 2048 units, and the base is of no help elsewhere.
TEST_F(RoundtripSize, ABaseThatHelpsOnlyWhereTheSampleLooks) {
  const auto base = noise_tensors(1, DType::kBF16, 8 << 20);
  auto fine_tune = noise_tensors(2, DType::kBF16, 8 << 20);
  for (size_t place = 0; place < 8 << 20; place += 2 << 20) {
    fine_tune[0].bytes.replace(place, 4096, base[0].bytes, place, 4096);
  }
  expect_small({write_shard("base.safetensors", base)},
               write_shard("tuned.safetensors", fine_tune));
  EXPECT_EQ(matches(*inspect(archive_))["w"], "same");
}

TEST_F(RoundtripSize, ThousandsOfSmallTensors) {
  for (const std::vector<uint64_t>& shape : {std::vector<uint64_t>{}, {1}, {16}, {64}, {200}}) {
    for (const DType dtype : {DType::kU8, DType::kBF16, DType::kF32}) {
      std::vector<TestTensor> base;
      std::vector<TestTensor> fine_tune;
      for (size_t i = 0; i < 2000; ++i) {
        TestTensor tensor{std::to_string(i), dtype, shape, {}};
        tensor.bytes = noise(dtype_unit(dtype) * elements_of(shape), i);
        base.push_back(tensor);
        fine_tune.push_back(tuned(tensor, i));
      }
      const auto path = write_shard("tuned.safetensors", fine_tune);
      expect_small({}, path);
      expect_small({write_shard("base.safetensors", base)}, path);
    }
  }
}

TEST_F(RoundtripSize, NamesAndHeadersOfNoise) {
  std::string json = "{";
  for (size_t i = 0; i < 1000; ++i) {
    std::string name;
    for (const char byte : noise(40, i)) name += static_cast<char>('0' + (byte & 63));
    std::ranges::replace(name, '\\', '~');
    if (i > 0) json += " ,";
    json += "\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) +
            "," + std::to_string(i + 1) + "]}";
  }
  const auto file = dir_.write("t.safetensors", raw_safetensors(json + "}", noise(1000, 1)));
  expect_small({}, file);
}

TEST_F(RoundtripSize, SideFilesOfNoise) {
  for (const size_t size : {16383, 16384, 2'000'000}) {
    const std::string path = "tuned/" + std::to_string(size);
    dir_.write(path, noise(size, size));
    dir_.write("base/" + std::to_string(size), noise(size, 7));
  }
  dir_.make_directory("base");
  expect_small({}, dir_.path("tuned"));
  expect_small({dir_.path("base")}, dir_.path("tuned"));
}

// What every file has beside its bytes is its SHA-256 and its path.
TEST_F(RoundtripSize, AThousandTinyFiles) {
  for (size_t i = 0; i < 1000; ++i) dir_.write("tuned/" + std::to_string(i), noise(4, i));
  const auto summary = roundtrip({}, dir_.path("tuned"));
  EXPECT_LE(summary.archive_bytes, 4000 + 4096 + 1000 * 40);
}

}  // namespace
}  // namespace finedelta
