// Memory of Python's that the library reads and writes.
#ifndef FINEDELTA_PYTHON_BUFFER_H_
#define FINEDELTA_PYTHON_BUFFER_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace finedelta::python {

namespace nb = nanobind;

using Buffer = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

using ConstBuffer = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

[[nodiscard]] inline std::span<const std::byte> bytes_of(const ConstBuffer& buffer) {
  return std::as_bytes(std::span(buffer.data(), buffer.size()));
}

[[nodiscard]] inline std::span<std::byte> bytes_of(const Buffer& buffer) {
  return std::as_writable_bytes(std::span(buffer.data(), buffer.size()));
}

}  // namespace finedelta::python

#endif  // FINEDELTA_PYTHON_BUFFER_H_
