#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "safetensors/header.h"

namespace finedelta::safetensors {
namespace {

Header parsed(const std::string& json, uint64_t data_size) {
  Result<Header> header = parse_header(json, data_size, "m.safetensors");
  EXPECT_TRUE(header.has_value()) << header.error().message;
  return header.value_or(Header{});
}

// The name that `literal`, between quotes in the JSON, gives a tensor.
std::string name_of(const std::string& literal) {
  const std::string fields = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const Header header = parsed(fmt::format("{{\"{}\":{}}}", literal, fields), 0);
  return header.tensors.empty() ? "(none)" : header.tensors[0].name;
}

TEST(SafetensorsParse, AnOrdinaryHeader) {
  const std::string json = R"({"__metadata__":{"format":"pt"},)"
                           R"("w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                           R"("step":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}    )";
  const Header header = parsed(json, 20);
  EXPECT_EQ(header.json, json);
  EXPECT_EQ(header.metadata, R"({"format":"pt"})");
  EXPECT_EQ(header.tensors, (std::vector<Tensor>{{"w", DType::kBF16, {2, 3}, 0, 12},
                                                 {"step", DType::kI64, {}, 12, 20}}));
  EXPECT_EQ(header.data_offset(), 8 + json.size());
}

TEST(SafetensorsParse, NoTensors) {
  EXPECT_EQ(parsed("{}", 0).tensors.size(), 0u);
  EXPECT_EQ(parsed("{ }", 0).metadata, "");
  EXPECT_EQ(parsed(R"({"__metadata__":{}})", 0).metadata, "{}");
}

TEST(SafetensorsParse, WhiteSpaceBetweenTokensAndFieldsInAnyOrder) {
  const Header header = parsed(
      "{\r\n\t\"__metadata__\" :\t{ \"a\" : \"b\" } ,\n"
      "\"w\" : { \"data_offsets\" : [ 0 , 4 ] , \"shape\" : [ ] , \"dtype\" : \"F32\" }\n}  ",
      4);
  EXPECT_EQ(header.metadata, "{ \"a\" : \"b\" }");
  EXPECT_EQ(header.tensors, (std::vector<Tensor>{{"w", DType::kF32, {}, 0, 4}}));
}

TEST(SafetensorsParse, MetadataMayStandAnywhereUnderAnEscapedName) {
  const Header header = parsed(
      R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u005f_metadata__":{"a":"\n"}})", 0);
  EXPECT_EQ(header.metadata, R"({"a":"\n"})");
  EXPECT_EQ(header.tensors.size(), 1u);
}

TEST(SafetensorsParse, TensorsComeInOrderOfTheirData) {
  const Header header = parsed(R"({"c":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                               R"("empty 2":{"dtype":"F32","shape":[0,7],"data_offsets":[1,1]},)"
                               R"("end":{"dtype":"F32","shape":[0],"data_offsets":[3,3]},)"
                               R"("empty 1":{"dtype":"F32","shape":[0],"data_offsets":[1,1]},)"
                               R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                               3);
  std::string order;
  for (const Tensor& tensor : header.tensors) order += tensor.name + ", ";
  EXPECT_EQ(order, "a, empty 2, empty 1, c, end, ");
}

TEST(SafetensorsParse, EveryDType) {
  for (uint8_t i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const unsigned bytes = dtype_bits(dtype);  // of eight elements
    const Header header =
        parsed(fmt::format(R"({{"t":{{"dtype":"{}","shape":[8],"data_offsets":[0,{}]}}}})",
                           dtype_name(dtype), bytes),
               bytes);
    EXPECT_EQ(header.tensors, (std::vector<Tensor>{{"t", dtype, {8}, 0, bytes}}));
  }
}

TEST(SafetensorsParse, EscapesAreResolved) {
  EXPECT_EQ(name_of(R"(\"\\\/\b\f\n\r\t)"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(name_of(R"(\u0041\u00e9\u00E9\u20ac\uFFFF)"), "A\u00e9\u00e9\u20ac\uffff");
  EXPECT_EQ(name_of(R"(\ud83d\ude00\uD800\uDC00\udbff\udfff)"), "\U0001f600\U00010000\U0010ffff");
  EXPECT_EQ(name_of(R"(a\u0000b)"), std::string("a\0b", 3));
}

TEST(SafetensorsParse, OtherCharactersStandForThemselves) {
  EXPECT_EQ(name_of(""), "");
  EXPECT_EQ(name_of("\x7f/\u00e9\u20ac\U0001f600"), "\x7f/\u00e9\u20ac\U0001f600");
}

TEST(SafetensorsParse, LargestNumber) {
  const Header header = parsed(R"({"t":{"dtype":"U8","shape":[9223372036854775807],)"
                               R"("data_offsets":[0,9223372036854775807]}})",
                               9223372036854775807u);
  EXPECT_EQ(header.tensors[0].shape, std::vector<uint64_t>{9223372036854775807u});
}

}  // namespace
}  // namespace finedelta::safetensors
