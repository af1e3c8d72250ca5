#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "safetensors/header.h"

namespace finedelta::safetensors {
namespace {

constexpr std::string_view kJson = R"({"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}   )";

std::string length_field(uint64_t length) {
  std::string field(8, '\0');
  store(std::as_writable_bytes(std::span(field)).data(), length);
  return field;
}

// A file of the given bytes, gone at the end of the test.
class ReadHeader : public testing::Test {
 protected:
  ~ReadHeader() override { unlink(path_.c_str()); }

  Result<Header> read(const std::string& bytes) {
    FILE* const file = fopen(path_.c_str(), "wb");
    EXPECT_EQ(fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    EXPECT_EQ(fclose(file), 0);
    FINEDELTA_ASSIGN(const InputFile input, InputFile::open(path_));
    return read_header(input);
  }

  // The message behind the name of the file.
  std::string refusal(const std::string& bytes) {
    const Result<Header> header = read(bytes);
    if (header.has_value()) return "";
    EXPECT_EQ(header.error().code, ErrorCode::kDamaged);
    const std::string name = quote(path_);
    EXPECT_TRUE(header.error().message.starts_with(name)) << header.error().message;
    return header.error().message.substr(name.size());
  }

 private:
  std::string path_ = testing::TempDir() + "finedelta_read_" + std::to_string(getpid());
};

TEST_F(ReadHeader, ASoundFile) {
  const std::string bytes = length_field(kJson.size()) + std::string(kJson) + "abc";
  const Result<Header> header = read(bytes);
  ASSERT_TRUE(header.has_value()) << header.error().message;
  EXPECT_EQ(header->json, kJson);
  EXPECT_EQ(header->tensors, (std::vector<Tensor>{{"t", DType::kU8, {3}, 0, 3}}));
}

TEST_F(ReadHeader, AFileThatIsTooShort) {
  EXPECT_EQ(refusal(""), " is too short for a safetensors file: it has 0 bytes");
  EXPECT_EQ(refusal("1234567"), " is too short for a safetensors file: it has 7 bytes");
}

TEST_F(ReadHeader, ALengthThatRunsPastTheEnd) {
  EXPECT_EQ(refusal(length_field(3) + "{}"),
            " is cut off or not a safetensors file: it begins with a header length of 3 bytes, "
            "but only 2 follow");
  EXPECT_EQ(refusal(length_field(2)),
            " is cut off or not a safetensors file: it begins with a header length of 2 bytes, "
            "but only 0 follow");
}

TEST_F(ReadHeader, ALengthThatNoSafetensorsFileHas) {
  EXPECT_EQ(refusal(length_field(100'000'001)),
            " is not a safetensors file: it begins with a header length of 100000001 bytes, and "
            "at most 100000000 are possible");
  EXPECT_EQ(refusal(length_field(UINT64_MAX)),
            " is not a safetensors file: it begins with a header length of 18446744073709551615 "
            "bytes, and at most 100000000 are possible");
}

TEST_F(ReadHeader, AFileThatIsCutOff) {
  EXPECT_EQ(refusal(length_field(kJson.size()) + std::string(kJson) + "ab"),
            ": tensor 't' at byte 54: its data ends at 3, but the file has 2 bytes of data");
}

TEST_F(ReadHeader, AFileWithoutAHeader) {
  EXPECT_EQ(refusal(length_field(0)), ": header at byte 8: it does not begin with '{'");
}

}  // namespace
}  // namespace finedelta::safetensors
