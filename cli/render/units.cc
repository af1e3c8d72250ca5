#include "render/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace finedelta::cli {
namespace {

struct Unit {
  std::string_view name;  // in capitals
  uint64_t bytes;
};

constexpr uint64_t kKi = 1024;
constexpr uint64_t kK = 1000;

constexpr std::array kUnits{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"K", kKi},
    Unit{"KIB", kKi},
    Unit{"KB", kK},
    Unit{"M", kKi* kKi},
    Unit{"MIB", kKi* kKi},
    Unit{"MB", kK* kK},
    Unit{"G", kKi* kKi* kKi},
    Unit{"GIB", kKi* kKi* kKi},
    Unit{"GB", kK* kK* kK},
    Unit{"T", kKi* kKi* kKi* kKi},
    Unit{"TIB", kKi* kKi* kKi* kKi},
    Unit{"TB", kK* kK* kK* kK},
};

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

std::string size_text(uint64_t bytes) {
  if (bytes < kK) return count_text(bytes, "byte");
  constexpr std::array kNames{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  // 999.5 would be written as 1000: the next unit takes over.
  while (value >= 999.5 && unit + 1 < kNames.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kNames[unit]);
}

std::string rate_text(uint64_t bytes, double seconds) {
  if (!(seconds > 0)) return "-";
  const double rate = static_cast<double>(bytes) / seconds;
  if (rate >= 1e18) return "-";
  return size_text(static_cast<uint64_t>(rate)) + "/s";
}

std::string duration_text(double seconds) {
  constexpr double kLongest = 100.0 * 24 * 3600;
  if (!(seconds >= 0 && seconds <= kLongest)) return "-";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<uint64_t>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string ratio_text(uint64_t original, uint64_t stored) {
  if (stored == 0) return "-";
  return fmt::format("{:.2f}x", static_cast<double>(original) / static_cast<double>(stored));
}

std::string bits_per_weight_text(uint64_t bytes, uint64_t elements) {
  if (elements == 0) return "-";
  return fmt::format("{:.2f}", 8 * static_cast<double>(bytes) / static_cast<double>(elements));
}

std::string count_text(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string_view lossy_text(bool lossy) { return lossy ? " LOSSY (not the fine-tune itself)" : ""; }

std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{}) return std::nullopt;
  std::string name(end, text.data() + text.size());
  for (char& c : name) c = capital(c);
  for (const Unit& unit : kUnits) {
    if (name != unit.name) continue;
    if (count > std::numeric_limits<uint64_t>::max() / unit.bytes) return std::nullopt;
    return count * unit.bytes;
  }
  return std::nullopt;
}

}  // namespace finedelta::cli
