// Safetensors files for tests.
#ifndef FINEDELTA_TESTS_SUPPORT_MAKE_SAFETENSORS_H_
#define FINEDELTA_TESTS_SUPPORT_MAKE_SAFETENSORS_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "numeric/dtype.h"
#include "safetensors/header.h"

namespace finedelta {

struct TestTensor {
  std::string name;
  DType dtype = DType::kU8;
  std::vector<uint64_t> shape;
  std::string bytes;  // little-endian, as many as dtype and shape ask for
};

// A length field, a header's JSON as it is, and the data: for files that need not be sound.
inline std::string raw_safetensors(std::string_view json, std::string_view data) {
  ByteWriter file;
  file.u64(json.size());
  file.bytes(as_bytes(json));
  file.bytes(as_bytes(data));
  return std::string(as_text(file.view()));
}

// The bytes of a safetensors file with these tensors in this order and the canonical header;
// `metadata` is a JSON object, or empty for none. Throws where a tensor has not the right size.
inline std::string make_safetensors(const std::vector<TestTensor>& tensors,
                                    std::string_view metadata = "") {
  std::vector<safetensors::Tensor> records;
  std::string data;
  for (const TestTensor& tensor : tensors) {
    if (safetensors::tensor_bytes(tensor.dtype, tensor.shape) != tensor.bytes.size()) {
      throw std::invalid_argument("tensor " + tensor.name + " has the wrong number of bytes");
    }
    records.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
    data += tensor.bytes;
  }
  return raw_safetensors(safetensors::canonical_header(metadata, records), data);
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_SUPPORT_MAKE_SAFETENSORS_H_
