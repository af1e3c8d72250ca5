// Tensors that look like a model's, the same everywhere for the same seed.
#ifndef FINEDELTA_TESTS_ROUNDTRIP_WEIGHTS_H_
#define FINEDELTA_TESTS_ROUNDTRIP_WEIGHTS_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "numeric/dtype.h"
#include "numeric/float_cast.h"
#include "support/make_safetensors.h"

namespace finedelta {

inline uint64_t elements_of(const std::vector<uint64_t>& shape) {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) count *= dimension;
  return count;
}

inline std::string noise(size_t size, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t value = engine();
    std::memcpy(bytes.data() + i, &value, std::min<size_t>(8, size - i));
  }
  return bytes;
}

// From F32 numbers, by the rules of the archive format.
inline std::string convert_f32(DType to, const std::string& f32) {
  if (to == DType::kF32) return f32;
  std::string out(f32.size() / 2, '\0');
  for (size_t i = 0; i < f32.size() / 4; ++i) {
    uint32_t value = 0;
    std::memcpy(&value, f32.data() + 4 * i, 4);
    const uint16_t narrow = to == DType::kBF16 ? bf16_from_f32(value) : f16_from_f32(value);
    std::memcpy(out.data() + 2 * i, &narrow, 2);
  }
  return out;
}

// Numbers of a random sign and of magnitudes from 2^-9 to 2^-5, as weights are; plain noise in
// dtypes other than F16, BF16 and F32.
inline std::string weights(DType dtype, const std::vector<uint64_t>& shape, uint64_t seed) {
  const bool is_float = dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32;
  if (!is_float) return noise(*safetensors::tensor_bytes(dtype, shape), seed);
  std::string f32 = noise(4 * elements_of(shape), seed);
  for (size_t i = 0; i < f32.size(); i += 4) {
    uint32_t value = 0;
    std::memcpy(&value, f32.data() + i, 4);
    value = (value & 0x81FF'FFFF) | 118u << 23;
    std::memcpy(f32.data() + i, &value, 4);
  }
  return convert_f32(dtype, f32);
}

// The same numbers after a little training: the two lowest bits of one in eight are others.
inline std::string tuned(DType dtype, std::string bytes, uint64_t seed) {
  std::mt19937_64 engine(seed);
  for (size_t i = 0; i < bytes.size(); i += dtype_unit(dtype)) {
    const uint64_t random = engine();
    if (random % 8 == 0) bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(random >> 62));
  }
  return bytes;
}

inline TestTensor make_tensor(const std::string& name, DType dtype,
                              const std::vector<uint64_t>& shape, uint64_t seed) {
  return {.name = name, .dtype = dtype, .shape = shape, .bytes = weights(dtype, shape, seed)};
}

inline TestTensor tuned(const TestTensor& tensor, uint64_t seed = 1) {
  TestTensor out = tensor;
  out.bytes = tuned(tensor.dtype, tensor.bytes, seed);
  return out;
}

inline std::vector<TestTensor> tuned(const std::vector<TestTensor>& tensors, uint64_t seed = 1) {
  std::vector<TestTensor> out;
  for (const TestTensor& tensor : tensors) out.push_back(tuned(tensor, seed++));
  return out;
}

inline TestTensor renamed(TestTensor tensor, const std::string& name) {
  tensor.name = name;
  return tensor;
}

// Elements of F16, BF16 or F32 as F32, and back.
inline std::vector<float> floats_of(const TestTensor& tensor) {
  std::vector<float> out(elements_of(tensor.shape));
  for (size_t i = 0; i < out.size(); ++i) {
    uint32_t wide = 0;
    if (tensor.dtype == DType::kF32) {
      std::memcpy(&wide, tensor.bytes.data() + 4 * i, 4);
    } else {
      uint16_t bits = 0;
      std::memcpy(&bits, tensor.bytes.data() + 2 * i, 2);
      wide = tensor.dtype == DType::kF16 ? f32_from_f16(bits) : f32_from_bf16(bits);
    }
    out[i] = std::bit_cast<float>(wide);
  }
  return out;
}

inline TestTensor of_floats(const std::string& name, DType dtype,
                            const std::vector<uint64_t>& shape, const std::vector<float>& values) {
  std::string f32(4 * values.size(), '\0');
  std::memcpy(f32.data(), values.data(), f32.size());
  return {.name = name, .dtype = dtype, .shape = shape, .bytes = convert_f32(dtype, f32)};
}

// a x tensor, and a x one + b x other, as numbers of type `dtype`.
inline TestTensor multiple(float a, const TestTensor& tensor, DType dtype) {
  std::vector<float> values = floats_of(tensor);
  for (float& value : values) value = a * value;
  return of_floats(tensor.name, dtype, tensor.shape, values);
}

inline TestTensor sum(float a, const TestTensor& one, float b, const TestTensor& other,
                      DType dtype) {
  std::vector<float> values = floats_of(one);
  const std::vector<float> others = floats_of(other);
  for (size_t i = 0; i < values.size(); ++i) values[i] = a * values[i] + b * others[i];
  return of_floats(one.name, dtype, one.shape, values);
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_ROUNDTRIP_WEIGHTS_H_
