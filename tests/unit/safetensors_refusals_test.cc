#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "safetensors/header.h"

namespace finedelta::safetensors {
namespace {

// The message that parsing `json` ends with, or "" where it is accepted.
std::string refusal(std::string json, uint64_t data_size) {
  const Result<Header> header = parse_header(std::move(json), data_size, "m.safetensors");
  if (header.has_value()) return "";
  EXPECT_EQ(header.error().code, ErrorCode::kDamaged);
  return header.error().message;
}

struct Bad {
  std::string json;  // with '@' in front of the byte that the message names
  std::string what;
};

// Each message must read "'m.safetensors': SUBJECT at byte N: WHAT".
void expect_refusals(const std::string& subject, uint64_t data_size,
                     std::initializer_list<Bad> headers) {
  for (const Bad& bad : headers) {
    std::string json = bad.json;
    const size_t offset = json.find('@');
    ASSERT_NE(offset, std::string::npos) << json;
    json.erase(offset, 1);
    EXPECT_EQ(refusal(json, data_size),
              fmt::format("'m.safetensors': {} at byte {}: {}", subject, 8 + offset, bad.what))
        << json.substr(0, 1000);
  }
}

TEST(SafetensorsRefusals, Frame) {
  const std::string begin = "it does not begin with '{'";
  const std::string end = "its JSON is followed by something other than spaces";
  expect_refusals("header", 0,
                  {{"@", begin},
                   {"@ {}", begin},
                   {"@[]", begin},
                   {"@\xef\xbb\xbf{}", begin},
                   {"{@", "expected a string, but the header ends"},
                   {"{@,}", "expected a string, found ','"},
                   {"{@a}", "expected a string, found 'a'"},
                   {"{@\xff}", "expected a string, found '\\xff'"},
                   {"{@\u00e9}", "expected a string, found '\u00e9'"},
                   {"{@\v}", "expected a string, found '\\x0b'"},
                   {"{}@\n", end},
                   {"{} @{}", end},
                   {std::string("{}@\0", 4), end}});
}

TEST(SafetensorsRefusals, Metadata) {
  expect_refusals(
      "header", 0,
      {{R"({"__metadata__"@})", "expected ':', found '}'"},
       {R"({"__metadata__":@null})", "expected '{', found 'n'"},
       {R"({"__metadata__":@[]})", "expected '{', found '['"},
       {R"({"__metadata__":{"a":@1}})", "expected a string, found '1'"},
       {R"({"__metadata__":{"a":@{}}})", "expected a string, found '{'"},
       {R"({"__metadata__":{"a":"b",@}})", "expected a string, found '}'"},
       {R"({"__metadata__":{"a":"b" @"c":""}})", "expected ',' or '}', found '\"'"},
       {R"({"__metadata__":{"a":"","b":"",@"\u0061":""}})", "the name 'a' occurs twice"},
       {R"({"__metadata__":{},@"__metadata__":{}})", "the name '__metadata__' occurs twice"}});
}

TEST(SafetensorsRefusals, Strings) {
  const std::string not_utf8 = "a string is not UTF-8";
  const std::string unknown = "a string has an unknown escape";
  const std::string digits = "a \\u escape without four hexadecimal digits";
  const std::string surrogate = "a string has half of a surrogate pair";
  expect_refusals("header", 0,
                  {{"{\"a@", "a string has no end"},
                   {"{\"a@\n\"", "a control character in a string is not escaped"},
                   {"{\"a@\x80\"", not_utf8},
                   {"{\"a@\xc0\x80\"", not_utf8},
                   {"{\"a@\xed\xa0\x80\"", not_utf8},
                   {"{\"a@\xf0\x9f\x98", not_utf8},
                   {R"({"a@\x41")", unknown},
                   {R"({"a@\U0041")", unknown},
                   {R"({"a@\)", unknown},
                   {R"({"@\u00g0")", digits},
                   {R"({"@\u004)", digits},
                   {R"({"@\u)", digits},
                   {R"({"@\ud83d")", surrogate},
                   {R"({"@\ude00")", surrogate},
                   {R"({"@\ude00\ud83d")", surrogate},
                   {R"({"@\ud83dA\ude00")", surrogate},
                   {R"({"@\ud83d\u0041")", surrogate},
                   {R"({"@\ud83d\ud83d\ude00")", surrogate},
                   {R"({"\ud83d@\u12")", digits}});
}

TEST(SafetensorsRefusals, Numbers) {
  const std::string not_integer = "a number is not written as an integer";
  const std::string zero = "a number has a leading zero";
  const std::string large = "a number is larger than 9223372036854775807";
  expect_refusals("tensor 'a'", 2,
                  {{R"({"a":{"shape":@2)", "expected '[', found '2'"},
                   {R"({"a":{"shape":[@-2])", "expected an unsigned integer, found '-'"},
                   {R"({"a":{"shape":[@+2])", "expected an unsigned integer, found '+'"},
                   {R"({"a":{"shape":[@"2"])", "expected an unsigned integer, found '\"'"},
                   {R"({"a":{"shape":[@null])", "expected an unsigned integer, found 'n'"},
                   {R"({"a":{"shape":[@)", "expected an unsigned integer, but the header ends"},
                   {R"({"a":{"shape":[2@)", "expected ',' or ']', but the header ends"},
                   {R"({"a":{"shape":[2,@])", "expected an unsigned integer, found ']'"},
                   {R"({"a":{"shape":[2 @1])", "expected ',' or ']', found '1'"},
                   {R"({"a":{"shape":[0@x2])", "expected ',' or ']', found 'x'"},
                   {R"({"a":{"shape":[@2.0])", not_integer},
                   {R"({"a":{"shape":[@2e0])", not_integer},
                   {R"({"a":{"shape":[@2E0])", not_integer},
                   {R"({"a":{"shape":[@02])", zero},
                   {R"({"a":{"shape":[@00])", zero},
                   {R"({"a":{"shape":[@9223372036854775808])", large},
                   {R"({"a":{"shape":[@18446744073709551618])", large},
                   {R"({"a":{"shape":[@)" + std::string(100'000, '9') + "]", large}});
}

TEST(SafetensorsRefusals, TensorObjects) {
  expect_refusals(
      "tensor 'a'", 2,
      {{R"({"a":@1})", "expected '{', found '1'"},
       {R"({"a":@{}})", "it has no dtype"},
       {R"({"a":@{"dtype":"U8","data_offsets":[0,2]}})", "it has no shape"},
       {R"({"a": @{"dtype":"U8","shape":[2]}})", "it has no data_offsets"},
       {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],@"x":1}})",
        "'x' is not a field of a tensor"},
       {R"({"a":{"dtype":"U8",@"dtype":"U8"}})", "its dtype occurs twice"},
       {R"({"a":{"shape":[],@"sh\u0061pe":[]}})", "its shape occurs twice"},
       {R"({"a":{"dtype":@"u8"}})", "its dtype 'u8' is unknown"},
       {R"({"a":{"dtype":@8}})", "expected a string, found '8'"},
       {R"({"a":{"shape":[],"data_offsets":@[]}})", "its data_offsets are fewer than two"},
       {R"({"a":{"shape":[],"data_offsets":@[2]}})", "its data_offsets are fewer than two"},
       {R"({"a":{"shape":[],"data_offsets":@[0,2,2]}})", "its data_offsets are more than two"}});
}

TEST(SafetensorsRefusals, Sizes) {
  expect_refusals(
      "tensor 'a'", 8,
      {{R"({"a":{"dtype":"BF16","shape":[2,2],"data_offsets":@[0,5]}})",
        "its data_offsets [0, 5] do not fit dtype BF16 and shape [2, 2] (8 bytes)"},
       {R"({"a":{"dtype":"U8","shape":[],"data_offsets":@[1,0]}})",
        "its data_offsets [1, 0] do not fit dtype U8 and shape [] (1 bytes)"},
       {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":@[1,0]}})",
        "its data_offsets [1, 0] do not fit dtype U8 and shape [0] (0 bytes)"},
       {R"({"a":{"data_offsets":@[0,2],"dtype":"F4","shape":[3]}})",
        "its dtype F4 and shape [3] are not a possible number of bytes"},
       {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":@[0,0]}})",
        "its dtype U8 and shape [4294967296, 4294967296] are not a possible number of bytes"},
       {R"({"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":@[0,0]}})",
        "its dtype U8 and shape [0, 4294967296, 4294967296] are not a possible number of bytes"}});
}

// A member of the header: a tensor of bytes, with `mark` in front of its offsets.
std::string marked(const std::string& name, int begin, int end, std::string_view mark = "@") {
  return fmt::format(R"("{}":{{"dtype":"U8","shape":[{}],"data_offsets":{}[{},{}]}})", name,
                     end - begin, mark, begin, end);
}

std::string plain(const std::string& name, int begin, int end) {
  return marked(name, begin, end, "");
}

std::string header_of(std::initializer_list<std::string> members) {
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

TEST(SafetensorsRefusals, GapsAndOverlaps) {
  expect_refusals(
      "tensor 'b'", 4,
      {{header_of({plain("a", 0, 2), marked("b", 3, 4)}),
        "its data begins at 3, but the data before it ends at 2"},
       {header_of({marked("b", 1, 4)}), "its data begins at 1, but the data before it ends at 0"},
       {header_of({marked("b", 1, 4), plain("a", 0, 2)}),
        "its data begins at 1, but the data before it ends at 2"},
       {header_of({plain("a", 0, 4), marked("b", 0, 4)}),
        "its data begins at 0, but the data before it ends at 4"},
       {header_of({plain("a", 0, 4), marked("b", 2, 2)}),
        "its data begins at 2, but the data before it ends at 4"},
       {header_of({plain("a", 0, 4), marked("b", 5, 5)}),
        "its data begins at 5, but the data before it ends at 4"},
       {header_of({plain("a", 0, 4), marked("b", 4, 5)}),
        "its data ends at 5, but the file has 4 bytes of data"}});
}

TEST(SafetensorsRefusals, WholeHeaders) {
  expect_refusals(
      "header", 4,
      {{"@{}", "its tensors take 0 bytes, but 4 bytes of data follow"},
       {fmt::format("@{}", header_of({plain("a", 0, 3)})),
        "its tensors take 3 bytes, but 4 bytes of data follow"},
       {header_of({plain("a", 0, 2), fmt::format("@{}", plain("a", 2, 4))}),
        "the name 'a' occurs twice"},
       {header_of({plain("b", 0, 2), plain("\\u0061", 2, 4), fmt::format("@{}", plain("a", 2, 4))}),
        "the name 'a' occurs twice"}});
}

TEST(SafetensorsRefusals, ARankOver64) {
  std::string shape = "1";
  for (int i = 1; i < 64; ++i) shape += ",1";
  const auto json = [](const std::string& dimensions) {
    return R"({"a":{"dtype":"U8","shape":@[)" + dimensions + R"(],"data_offsets":[0,1]}})";
  };
  std::string allowed = json(shape);
  allowed.erase(allowed.find('@'), 1);
  EXPECT_EQ(refusal(allowed, 1), "");
  expect_refusals("tensor 'a'", 1, {{json(shape + ",1"), "its shape has more than 64 dimensions"}});
}

TEST(SafetensorsRefusals, DeepNestingTakesNoStack) {
  const std::string deep(1'000'000, '[');
  expect_refusals("tensor 'a'", 0,
                  {{"{\"a\":@" + deep, "expected '{', found '['"},
                   {R"({"a":{"shape":[@)" + deep, "expected an unsigned integer, found '['"}});
}

TEST(SafetensorsRefusals, NamesAreFitForATerminal) {
  expect_refusals("tensor '\\x1b[2J'", 0, {{R"({"\u001b[2J":@1})", "expected '{', found '1'"}});
}

TEST(SafetensorsRefusals, EveryTruncation) {
  const std::string sound =
      R"({ "__metadata__":{"format":"p\u0074"},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":)"
      R"([0,4]} , "\ud83d\ude00":{"dtype":"U8","shape":[],"data_offsets":[4,5]}})";
  ASSERT_EQ(refusal(sound, 5), "");
  for (size_t size = 0; size < sound.size(); ++size) {
    EXPECT_NE(refusal(sound.substr(0, size), 5), "") << size;
  }
}

}  // namespace
}  // namespace finedelta::safetensors
