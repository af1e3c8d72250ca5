#include "lossy.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "render/text.h"
#include "render/units.h"

namespace finedelta::cli {
namespace {

using Kind = LossyTarget::Kind;

struct Target {
  std::string_view name;
  std::vector<std::string> Arguments::* text;
  Kind kind;
};

constexpr std::array<Target, 4> kTargets = {{
    {"--bits", &Arguments::bits_text, Kind::kBits},
    {"--size", &Arguments::size_text, Kind::kBytes},
    {"--ratio", &Arguments::ratio_text, Kind::kRatio},
    {"--max-error", &Arguments::max_error_text, Kind::kMaxError},
}};
constexpr std::string_view kTargetNames = "--bits, --size, --ratio and --max-error";

// A decimal number above 0.
std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const bool good = error == std::errc{} && stop == end && std::isfinite(value) && value > 0;
  return good ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_bytes(const std::string& text) {
  const auto bytes = parse_size(text);
  if (!bytes || *bytes == 0) return std::nullopt;
  return static_cast<double>(*bytes);
}

Result<std::optional<LossyTarget>> read_target(const Verb& verb, const Target& target,
                                               const std::string& text) {
  const bool is_size = target.kind == Kind::kBytes;
  const auto value = is_size ? parse_bytes(text) : parse_number(text);
  if (value) return LossyTarget{.kind = target.kind, .value = *value};
  return usage_error(verb,
                     fmt::format("{} {} is not a {}", target.name, in_quotes(text),
                                 is_size ? "size such as 50MB" : "number above 0 such as 0.5"));
}

}  // namespace

Result<std::optional<LossyTarget>> read_lossy(const Verb& verb, const Arguments& arguments) {
  const Target* given = nullptr;
  size_t count = 0;
  for (const Target& target : kTargets) {
    if ((arguments.*target.text).empty()) continue;
    given = &target;
    ++count;
  }
  if (arguments.progressive && !arguments.lossy) {
    return usage_error(verb, "--progressive needs --lossy, which says what its first layer is");
  }
  if (!arguments.lossy && count == 0) return std::nullopt;
  if (!arguments.lossy) {
    return usage_error(verb, fmt::format("{} need --lossy: what comes back then is not the "
                                         "fine-tune",
                                         kTargetNames));
  }
  if (count != 1) {
    return usage_error(verb, fmt::format("--lossy needs exactly one of {}", kTargetNames));
  }
  return read_target(verb, *given, (arguments.*given->text)[0]);
}

}  // namespace finedelta::cli
