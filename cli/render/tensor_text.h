// Tensors in tables.
#ifndef FINEDELTA_CLI_RENDER_TENSOR_TEXT_H_
#define FINEDELTA_CLI_RENDER_TENSOR_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace finedelta::cli {

// "[4096, 32]"; "[]" for a scalar.
[[nodiscard]] std::string shape_text(std::span<const uint64_t> shape);

// What base `base` (counted from 0) of `bases` is called: "base"; "base 2" where there are several.
[[nodiscard]] std::string base_label(uint64_t base, size_t bases);

// How a tensor was matched: "same"; "renamed from other.name (base 2)": the base tensor where its
// name is another, the base (counted from 1) where there are several.
[[nodiscard]] std::string match_text(std::string_view match, std::string_view base_tensor,
                                     std::string_view name, uint64_t base, size_t bases);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_TENSOR_TEXT_H_
