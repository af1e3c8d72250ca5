#include "render/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace finedelta::cli {
namespace {

using Heights = std::array<std::string_view, 9>;

constexpr Heights kBlocks{" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                          "\u2585", "\u2586", "\u2587", "\u2588"};
constexpr Heights kDigits{"0", "1", "2", "3", "4", "5", "6", "7", "8"};

}  // namespace

std::string sparkline(std::span<const uint64_t> counts, bool blocks) {
  if (counts.empty()) return "";
  const Heights& heights = blocks ? kBlocks : kDigits;
  const auto most = static_cast<double>(std::max<uint64_t>(std::ranges::max(counts), 1));
  std::string result;
  for (const uint64_t count : counts) {
    const double eighths = std::ceil(8 * (static_cast<double>(count) / most));
    result += heights[static_cast<size_t>(eighths)];
  }
  return result;
}

bool is_utf8_locale(std::string_view name) {
  std::string letters;
  for (const char c : name.substr(std::min(name.find('.'), name.size()))) {
    if (c != '-') letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return letters == ".utf8" || letters.starts_with(".utf8@");
}

bool is_utf8_environment() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return is_utf8_locale(value);
  }
  return false;
}

}  // namespace finedelta::cli
