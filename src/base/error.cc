#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/utf8.h"

namespace finedelta {

namespace {

constexpr size_t kLongestQuote = 200;

}  // namespace

std::unexpected<Error> fail_errno(int error_number, std::string_view action,
                                  std::string_view path) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return fail(full ? ErrorCode::kNoSpace : ErrorCode::kFailure, "cannot {} {}: {}", action,
              quote(path), std::generic_category().message(error_number));
}

std::string quote(std::string_view text) {
  std::string out = "'";
  for (size_t i = 0; i < text.size();) {
    if (out.size() > kLongestQuote) {
      out += "...";
      break;
    }
    const size_t length = utf8_sequence_length(text.substr(i));
    const auto first = static_cast<unsigned char>(text[i]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      out += fmt::format("\\x{:02x}", first);
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  out += '\'';
  return out;
}

}  // namespace finedelta
