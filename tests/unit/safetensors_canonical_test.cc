#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "safetensors/header.h"

namespace finedelta::safetensors {
namespace {

TEST(CanonicalHeader, AsTheReferenceImplementationWritesIt) {
  const std::vector<Tensor> tensors = {{"a.weight", DType::kF32, {2, 3}, 0, 24},
                                       {"a.bias", DType::kBF16, {3}, 24, 30},
                                       {"step", DType::kI64, {}, 30, 38}};
  EXPECT_EQ(canonical_header(R"({"format":"pt"})", tensors),
            R"({"__metadata__":{"format":"pt"},)"
            R"("a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
            R"("a.bias":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},)"
            R"("step":{"dtype":"I64","shape":[],"data_offsets":[30,38]}}   )");
}

TEST(CanonicalHeader, WithoutMetadataOrTensors) {
  const std::vector<Tensor> one = {{"w", DType::kU8, {0}, 0, 0}};
  EXPECT_EQ(canonical_header("", one),
            R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}   )");
  EXPECT_EQ(canonical_header(R"({"a":"b"})", {}), R"({"__metadata__":{"a":"b"}}      )");
  EXPECT_EQ(canonical_header("", {}), "{}      ");
}

TEST(CanonicalHeader, PaddingIsNeverAWholeWord) {
  for (size_t length = 0; length < 8; ++length) {
    const std::vector<Tensor> one = {{std::string(length, 'n'), DType::kU8, {0}, 0, 0}};
    const std::string header = canonical_header("", one);
    EXPECT_EQ(header.size() % 8, 0u);
    EXPECT_LT(header.size() - header.find_last_of('}') - 1, 8u);
  }
}

TEST(CanonicalHeader, EscapesOnlyWhatJsonDemands) {
  const std::string zero(1, '\0');
  const std::string name = "\"\\/\b\t\n\f\r\x1f\x7f" + zero + "\u00e9\U0001f600";
  const std::vector<Tensor> one = {{name, DType::kU8, {0}, 0, 0}};
  const std::string begin =
      "{\"\\\"\\\\/\\b\\t\\n\\f\\r\\u001f\x7f\\u0000\u00e9\U0001f600\":{\"dtype\"";
  EXPECT_EQ(canonical_header("", one).substr(0, begin.size()), begin);
}

// Strings of code points that escapes and UTF-8 treat differently.
rc::Gen<std::string> arbitrary_name() {
  const auto piece = rc::gen::element<std::string>("a", "weight", ".", "\"", "\\", "/", "\b", "\n",
                                                   "\x01", "\x7f", std::string(1, '\0'), "\u00e9",
                                                   "\u20ac", "\U0001f600", "\\u0041");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string name;
                        for (const std::string& part : pieces) name += part;
                        return name;
                      });
}

std::vector<Tensor> arbitrary_tensors() {
  std::vector<Tensor> tensors;
  uint64_t end = 0;
  for (std::string& name : *rc::gen::unique<std::vector<std::string>>(arbitrary_name())) {
    const auto dtype = static_cast<DType>(*rc::gen::inRange<int>(0, kDTypeCount));
    const auto shape = *rc::gen::container<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(0, 9));
    const std::optional<uint64_t> bytes = tensor_bytes(dtype, shape);
    if (!bytes || shape.size() > kLargestRank) continue;
    tensors.push_back({std::move(name), dtype, shape, end, end + *bytes});
    end += *bytes;
  }
  return tensors;
}

TEST(CanonicalHeader, ParsesToWhatItWasMadeFrom) {
  EXPECT_TRUE(rc::check("canonical header", [] {
    const std::vector<Tensor> tensors = arbitrary_tensors();
    const std::string metadata = *rc::gen::element<std::string>("", "{}", R"({ "a":"\u0041" })");
    const uint64_t data_size = tensors.empty() ? 0 : tensors.back().end;
    const std::string json = canonical_header(metadata, tensors);
    const Result<Header> header = parse_header(json, data_size, "m.safetensors");
    RC_ASSERT(header.has_value());
    RC_ASSERT(header->tensors == tensors);
    RC_ASSERT(header->metadata == metadata);
    RC_ASSERT(header->json == json);
  }));
}

}  // namespace
}  // namespace finedelta::safetensors
