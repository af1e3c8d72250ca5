#include "lora/write_adapter.h"

#include "base/error.h"
#include "kernels/cast.h"
#include "safetensors/header.h"

namespace finedelta::peft {

namespace {

// `values` as bytes of that type; they become what those bytes say.
std::vector<std::byte> narrow(std::vector<float>& values, DType dtype) {
  const auto wide = std::as_writable_bytes(std::span(values));
  if (dtype == DType::kF32) return {wide.begin(), wide.end()};
  std::vector<std::byte> bytes(values.size() * dtype_unit(dtype));
  cast_elements(DType::kF32, dtype, wide.data(), values.size(), bytes.data());
  widen_elements(dtype, bytes.data(), values);
  return bytes;
}

// `rows` vectors, one after another, become as many columns.
std::vector<std::byte> transposed(Bytes matrix, size_t rows, size_t unit) {
  std::vector<std::byte> result(matrix.size());
  const size_t columns = matrix.size() / unit / rows;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      std::copy_n(&matrix[(i * columns + j) * unit], unit, &result[(j * rows + i) * unit]);
    }
  }
  return result;
}

}  // namespace

Status write_header(const OutputFile& out, const AdapterLayout& layout) {
  return out.write(0, safetensors::file_start(layout.header));
}

Status write_factors(const OutputFile& out, const Adapter& adapter, const AdapterLayout& layout,
                     size_t module, MatrixFactors& factors) {
  if (factors.rank == 0) return {};
  const AdapterModule& what = adapter.modules[module];
  const std::vector<std::byte> left = narrow(factors.left, what.dtype);
  const std::vector<std::byte> right = narrow(factors.right, what.dtype);
  const auto write = [&](uint64_t at_a, Bytes a, uint64_t at_b, Bytes b) -> Status {
    FINEDELTA_CHECK(out.write(at_a, a));
    return out.write(at_b, transposed(b, factors.rank, dtype_unit(what.dtype)));
  };
  const uint64_t a = layout.a[module];
  const uint64_t b = layout.b[module];
  if (what.kind == ModuleKind::kLinear) return write(a, right, b, left);
  FINEDELTA_CHECK(write(a, left, b, right));
  if (what.tied.empty()) return {};
  return write(layout.tied_a[module], right, layout.tied_b[module], left);
}

}  // namespace finedelta::peft
