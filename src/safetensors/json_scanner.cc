#include "safetensors/json_scanner.h"

#include <algorithm>

#include "base/utf8.h"

namespace finedelta::safetensors {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A character of a string that stands for itself and needs no closer look.
bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

void append_utf8(std::string& out, uint32_t code_point) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  const auto put_rest = [&](unsigned shift) { put(0x80 | (code_point >> shift & 0x3f)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put_rest(0);
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put_rest(6);
    put_rest(0);
  } else {
    put(0xf0 | code_point >> 18);
    put_rest(12);
    put_rest(6);
    put_rest(0);
  }
}

}  // namespace

std::unexpected<JsonError> JsonScanner::wrong(std::string what) const {
  return std::unexpected(JsonError{offset_, std::move(what)});
}

std::unexpected<JsonError> JsonScanner::expected(std::string_view what) const {
  const std::string_view rest = text_.substr(offset_);
  if (rest.empty()) return wrong(fmt::format("expected {}, but the header ends", what));
  const size_t length = std::max<size_t>(utf8_sequence_length(rest), 1);
  return wrong(fmt::format("expected {}, found {}", what, quote(rest.substr(0, length))));
}

uint64_t JsonScanner::next_offset() {
  offset_ = std::min(text_.find_first_not_of(" \t\n\r", offset_), text_.size());
  return offset_;
}

bool JsonScanner::accept(char c) {
  next_offset();
  if (!at(c)) return false;
  ++offset_;
  return true;
}

JsonStatus JsonScanner::expect(char c, std::string_view what) {
  if (!accept(c)) return expected(what);
  return {};
}

JsonResult<std::string> JsonScanner::string() {
  FINEDELTA_CHECK(expect('"', "a string"));
  std::string out;
  while (true) {
    const uint64_t begin = offset_;
    while (offset_ < text_.size() && is_plain(text_[offset_])) ++offset_;
    out += text_.substr(begin, offset_ - begin);
    if (offset_ == text_.size()) return wrong("a string has no end");
    if (at('"')) {
      ++offset_;
      return out;
    }
    if (at('\\')) {
      FINEDELTA_CHECK(escape(out));
      continue;
    }
    const std::string_view rest = text_.substr(offset_);
    const size_t length = utf8_sequence_length(rest);
    if (length == 0) return wrong("a string is not UTF-8");
    if (static_cast<unsigned char>(rest[0]) < 0x20) {
      return wrong("a control character in a string is not escaped");
    }
    out += rest.substr(0, length);
    offset_ += length;
  }
}

JsonStatus JsonScanner::escape(std::string& out) {
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (offset_ + 1 < text_.size()) {
    const char letter = text_[offset_ + 1];
    if (const size_t i = kLetters.find(letter); i != std::string_view::npos) {
      out += kMeanings[i];
      offset_ += 2;
      return {};
    }
    if (letter == 'u') {
      FINEDELTA_ASSIGN(const uint32_t value, code_point());
      append_utf8(out, value);
      return {};
    }
  }
  return wrong("a string has an unknown escape");
}

JsonResult<uint32_t> JsonScanner::code_point() {
  const uint64_t begin = offset_;
  FINEDELTA_ASSIGN(const uint32_t first, four_digits());
  if (!is_high_surrogate(first) && !is_low_surrogate(first)) return first;
  if (is_high_surrogate(first) && text_.substr(offset_).starts_with("\\u")) {
    FINEDELTA_ASSIGN(const uint32_t second, four_digits());
    if (is_low_surrogate(second)) {
      return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    }
  }
  offset_ = begin;
  return wrong("a string has half of a surrogate pair");
}

// Takes the six characters \uXXXX, of which the caller has seen two.
JsonResult<uint32_t> JsonScanner::four_digits() {
  const std::string_view digits = text_.substr(offset_ + 2, 4);
  uint32_t value = 0;
  for (const char c : digits) {
    if (hex_value(c) < 0) return wrong("a \\u escape without four hexadecimal digits");
    value = value << 4 | static_cast<uint32_t>(hex_value(c));
  }
  if (digits.size() < 4) return wrong("a \\u escape without four hexadecimal digits");
  offset_ += 6;
  return value;
}

JsonResult<uint64_t> JsonScanner::number() {
  next_offset();
  const uint64_t begin = offset_;
  uint64_t value = 0;
  bool too_large = false;
  for (; offset_ < text_.size() && is_digit(text_[offset_]); ++offset_) {
    const auto digit = static_cast<uint64_t>(text_[offset_] - '0');
    too_large = too_large || value > (kLargestNumber - digit) / 10;
    if (!too_large) value = value * 10 + digit;
  }
  const uint64_t digits = offset_ - begin;
  if (digits == 0) return expected("an unsigned integer");
  const bool not_integer = at('.') || at('e') || at('E');
  offset_ = begin;
  if (not_integer) return wrong("a number is not written as an integer");
  if (digits > 1 && at('0')) return wrong("a number has a leading zero");
  if (too_large) return wrong(fmt::format("a number is larger than {}", kLargestNumber));
  offset_ += digits;
  return value;
}

}  // namespace finedelta::safetensors
