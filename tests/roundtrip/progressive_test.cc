// Progressive archives: a lossy layer, and one that makes it exact.

#include <cstddef>

#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// What training adds: something of every rank, the more the lower.
TestTensor trained(const TestTensor& base) {
  TestTensor out = base;
  for (const size_t rank : {1, 3, 9, 27}) out = with_adapter(out, rank, DType::kF32);
  return of_floats(base.name, base.dtype, base.shape, floats_of(out));
}

class RoundtripProgressive : public Roundtrip {
 protected:
  RoundtripProgressive() {
    options_.lossy = LossyTarget{.kind = LossyTarget::Kind::kBytes, .value = 40'000};
    options_.progressive = true;
    std::ignore = write_shard("base/model.safetensors", {norm_, one_, two_});
    std::ignore = write_shard("fine/a.safetensors", {tuned(norm_), trained(one_)});
    std::ignore = write_shard("fine/b.safetensors", {trained(two_)});
    dir_.write("fine/config.json", "{}");
    dir_.write("fine/long.txt", std::string(100'000, 'x'));
  }

  // The files that come out of so many layers, which are lossy or not.
  std::map<std::string, std::string> unpacked(unsigned layers, bool lossy) {
    UnpackOptions options;
    options.sha256 = true;
    options.force = true;
    options.layers = layers;
    const std::string output = dir_.path("out");
    const auto report = unpack({base_}, archive_, output, options);
    EXPECT_EQ(error_text(report), "no error");
    EXPECT_EQ(report && report->lossy, lossy);
    std::map<std::string, std::string> files;
    for (const char* name : {"a.safetensors", "b.safetensors", "config.json", "long.txt"}) {
      files[name] = read_file(output + "/" + name);
    }
    return files;
  }

  const TestTensor norm_ = make_tensor("norm", DType::kBF16, {200}, 1);
  const TestTensor one_ = make_tensor("one", DType::kBF16, {700, 400}, 2);  // of two chunks
  const TestTensor two_ = make_tensor("two", DType::kF32, {90, 80}, 3);
  const std::string base_ = dir_.path("base");
  const std::string fine_ = dir_.path("fine");
};

TEST_F(RoundtripProgressive, BothLayersComeOut) {
  const auto summary = pack_to_archive({base_}, fine_);
  EXPECT_FALSE(summary.lossy);
  EXPECT_TRUE(summary.progressive);
  EXPECT_GT(summary.second_layer_bytes, 0u);
  const auto exact = unpacked(0, false);
  for (const auto& [name, bytes] : exact) EXPECT_TRUE(bytes == read_file(fine_ + "/" + name));
  EXPECT_TRUE(unpacked(2, false) == exact);
  const auto first = unpacked(1, true);
  EXPECT_FALSE(first.at("a.safetensors") == exact.at("a.safetensors"));
  EXPECT_FALSE(first.at("b.safetensors") == exact.at("b.safetensors"));
  EXPECT_TRUE(first.at("long.txt") == exact.at("long.txt"));
  const auto verified = verify(archive_, {base_});
  ASSERT_EQ(error_text(verified), "no error");
  EXPECT_FALSE(verified->lossy);
  EXPECT_EQ(error_text(verify(archive_)), "no error");
}

// The first layer is what a lossy archive of the same target is.
TEST_F(RoundtripProgressive, TheFirstLayerIsThatOfALossyArchive) {
  const auto both = pack_to_archive({base_}, fine_);
  const auto first = unpacked(1, true);
  options_.progressive = false;
  const auto lossy = pack_to_archive({base_}, fine_);
  EXPECT_TRUE(unpacked(0, true) == first);
  EXPECT_EQ(both.payload_bytes - both.second_layer_bytes, lossy.payload_bytes);
  for (size_t i = 0; i < both.tensors.size(); ++i) {
    EXPECT_EQ(both.tensors[i].stored_bytes - both.tensors[i].second_layer_bytes,
              lossy.tensors[i].stored_bytes);
  }
  for (size_t i = 0; i < both.files.size(); ++i) {
    const FileSummary& file = both.files[i];
    if (file.kind != "shard") continue;
    EXPECT_EQ(file.sha256, lossy.files[i].original_sha256);
    EXPECT_EQ(file.first_layer_sha256, lossy.files[i].sha256);
    EXPECT_EQ(file.original_sha256, "");
  }
}

TEST_F(RoundtripProgressive, PartsOfBothLayers) {
  pack_to_archive({base_}, fine_);
  const TestTensor fine = trained(one_);
  const size_t row = fine.bytes.size() / 700;
  std::vector<std::string> read;
  for (const unsigned layers : {1, 2}) {
    ExtractOptions options;
    options.layers = layers;
    options.force = true;
    const std::string out = dir_.path("rows.safetensors");
    const auto report = extract({base_}, archive_, {"one[600:700]"}, out, options);
    ASSERT_EQ(error_text(report), "no error");
    EXPECT_EQ(report->lossy, layers == 1);
    const std::string file = read_file(out);
    read.push_back(file.substr(file.size() - 100 * row));
  }
  EXPECT_FALSE(read[0] == read[1]);
  EXPECT_TRUE(read[1] == fine.bytes.substr(600 * row));
}

TEST_F(RoundtripProgressive, LayersThatAreNotThere) {
  options_.progressive = false;
  pack_to_archive({base_}, fine_);
  UnpackOptions options;
  options.layers = 1;
  EXPECT_EQ(error_text(unpack({base_}, archive_, dir_.path("one"), options)), "no error");
  options.layers = 2;
  EXPECT_THAT(error_text(unpack({base_}, archive_, dir_.path("two"), options)),
              testing::AllOf(StartsWith("usage: "), HasSubstr(" has one layer, not 2")));
  options_.progressive = true;
  pack_to_archive({base_}, fine_);
  options.layers = 3;
  EXPECT_THAT(error_text(unpack({base_}, archive_, dir_.path("two"), options)),
              HasSubstr(" has 2 layers, not 3"));
}

TEST_F(RoundtripProgressive, WithAnError) {
  options_.lossy = LossyTarget{.kind = LossyTarget::Kind::kMaxError, .value = 0.5};
  EXPECT_TRUE(pack_to_archive({base_}, fine_).progressive);
  EXPECT_TRUE(unpacked(0, false).at("a.safetensors") == read_file(fine_ + "/a.safetensors"));
}

TEST_F(RoundtripProgressive, NotWhereNearlyAllIsUnchanged) {
  std::string few = one_.bytes;
  for (size_t i = 0; i < few.size(); i += 40) few[i] = static_cast<char>(few[i] ^ 1);
  TestTensor hardly = one_;
  hardly.bytes = few;
  const auto fine = write_shard("t.safetensors", {hardly});
  const auto base = write_shard("b.safetensors", {one_});
  EXPECT_EQ(error_text(try_pack({base}, fine)),
            "usage: 95.0 % of the weights are as in the base, and a progressive archive would be "
            "larger than an exact one: pack without --progressive and --lossy");
  EXPECT_THAT(names(), testing::Not(testing::Contains(HasSubstr(".fd"))));
}

TEST_F(RoundtripProgressive, NotWithoutATarget) {
  options_.lossy.reset();
  EXPECT_EQ(error_text(try_pack({base_}, fine_)),
            "usage: a progressive archive needs a target for its lossy layer");
}

// An archive in which nothing is lossy has one layer.
TEST_F(RoundtripProgressive, NothingToLose) {
  options_.lossy = LossyTarget{.kind = LossyTarget::Kind::kMaxError, .value = 1e-5};
  const auto summary = pack_to_archive({base_}, fine_);
  EXPECT_FALSE(summary.progressive);
  EXPECT_EQ(summary.format_version, 1u);
}

TEST_F(RoundtripProgressive, TheSameWhateverThreadsAndMemory) {
  std::string first;
  for (const unsigned threads : {1, 3}) {
    for (const uint64_t memory : {kLeastMemory, kDefaultMemory}) {
      options_.threads = threads;
      options_.memory = memory;
      pack_to_archive({base_}, fine_);
      const std::string bytes = read_file(archive_);
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << threads << " threads, " << memory << " bytes";
    }
  }
}

}  // namespace
}  // namespace finedelta
