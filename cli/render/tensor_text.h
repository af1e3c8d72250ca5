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

// The base tensors of a tensor, as TensorSummary and PlannedTensor have them.
struct TensorBases {
  std::string_view base_tensor;  // empty: none
  uint64_t base = 0;
  std::string_view second_base_tensor;
  uint64_t second_base = 0;
};

template <typename Tensor>
[[nodiscard]] TensorBases bases_of(const Tensor& tensor) {
  return {tensor.base_tensor, tensor.base, tensor.second_base_tensor, tensor.second_base};
}

// How a tensor was matched: "same"; "renamed from other.name (base 2)": the base tensor where its
// name is another, the base (counted from 1) where there are `count` of several; "same (base 1) +
// (base 2)" where there are two.
[[nodiscard]] std::string match_text(std::string_view match, const TensorBases& bases,
                                     std::string_view name, size_t count);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_TENSOR_TEXT_H_
