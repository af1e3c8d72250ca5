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

std::string match_text(std::string_view match, const TensorBases& bases, std::string_view name,
                       size_t count) {
  std::string result(match);
  const auto add = [&](std::string_view joint, std::string_view base_tensor, uint64_t base) {
    if (base_tensor != name) result += fmt::format(" {}{}", joint, base_tensor);
    if (count > 1) result += fmt::format(" ({})", base_label(base, count));
  };
  if (bases.base_tensor.empty()) return result;
  add("from ", bases.base_tensor, bases.base);
  if (bases.second_base_tensor.empty()) return result;
  result += " +";
  add("", bases.second_base_tensor, bases.second_base);
  return result;
}

}  // namespace finedelta::cli
