#include "render/tensor_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace finedelta::cli {

std::string shape_text(std::span<const uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string base_label(uint64_t base, size_t bases) {
  return bases == 1 ? "base" : fmt::format("base {}", base + 1);
}

std::string match_text(std::string_view match, std::string_view base_tensor, std::string_view name,
                       uint64_t base, size_t bases) {
  std::string result(match);
  if (base_tensor.empty()) return result;
  if (base_tensor != name) result += fmt::format(" from {}", base_tensor);
  if (bases > 1) result += fmt::format(" ({})", base_label(base, bases));
  return result;
}

}  // namespace finedelta::cli
