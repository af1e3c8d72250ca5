// A cursor over the part of JSON (RFC 8259) that safetensors headers use: objects, arrays, strings
// and unsigned integers. There is no value of unknown shape to skip, hence no recursion.
#ifndef FINEDELTA_SAFETENSORS_JSON_SCANNER_H_
#define FINEDELTA_SAFETENSORS_JSON_SCANNER_H_

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace finedelta::safetensors {

struct JsonError {
  uint64_t offset;   // in the text
  std::string what;  // what is wrong there
};

template <typename T>
using JsonResult = std::expected<T, JsonError>;

using JsonStatus = JsonResult<void>;

// The largest number that is read: 2^63 - 1.
inline constexpr uint64_t kLargestNumber = INT64_MAX;

// Takes one token after another from the front of `text`, which must outlive it. White space before
// a token is skipped. After an error the position is of no use. Not thread-safe.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  // Offset of the next token, or the text's size.
  uint64_t next_offset();
  // Offset right behind the last token.
  [[nodiscard]] uint64_t offset() const { return offset_; }

  // A string with its escapes resolved: UTF-8 (NUL is possible), never longer than the text.
  JsonResult<std::string> string();

  // An unsigned integer up to kLargestNumber: no sign, fraction, exponent or leading zero.
  JsonResult<uint64_t> number();

  // Calls `member(name, offset of the name)`, which must take the value, for each member of an
  // object. Duplicate names are left to the caller.
  template <typename Member>
  JsonStatus object(Member member) {
    FINEDELTA_CHECK(expect('{', "'{'"));
    if (accept('}')) return {};
    do {
      const uint64_t name_offset = next_offset();
      FINEDELTA_ASSIGN(std::string name, string());
      FINEDELTA_CHECK(expect(':', "':'"));
      FINEDELTA_CHECK(member(std::move(name), name_offset));
    } while (accept(','));
    return expect('}', "',' or '}'");
  }

  // Calls `element()`, which must take the value, for each element of an array.
  template <typename Element>
  JsonStatus array(Element element) {
    FINEDELTA_CHECK(expect('[', "'['"));
    if (accept(']')) return {};
    do {
      FINEDELTA_CHECK(element());
    } while (accept(','));
    return expect(']', "',' or ']'");
  }

 private:
  [[nodiscard]] bool at(char c) const { return offset_ < text_.size() && text_[offset_] == c; }
  [[nodiscard]] std::unexpected<JsonError> wrong(std::string what) const;
  [[nodiscard]] std::unexpected<JsonError> expected(std::string_view what) const;
  bool accept(char c);
  JsonStatus expect(char c, std::string_view what);
  JsonStatus escape(std::string& out);
  JsonResult<uint32_t> code_point();
  JsonResult<uint32_t> four_digits();

  std::string_view text_;
  uint64_t offset_ = 0;
};

}  // namespace finedelta::safetensors

#endif  // FINEDELTA_SAFETENSORS_JSON_SCANNER_H_
