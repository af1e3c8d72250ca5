#include "tools/coder_inputs.h"

#include <fmt/format.h>

#include <array>

#include "coder/coder.h"
#include "coder/steps/steps.h"
#include "fuzz/coder_input.h"

namespace finedelta {

namespace {

// Repeated, the prediction: a few numbers of any type.
constexpr std::array<uint8_t, 12> kPattern = {0xCD, 0xCC, 0x4C, 0x3D, 0x00, 0x00,
                                              0x80, 0xBF, 0x39, 0x8E, 0x63, 0x3C};

CoderInput input_of(DType dtype, size_t units, Bytes stored) {
  return {.dtype = dtype,
          .units = units,
          .pattern = std::as_bytes(std::span(kPattern)),
          .stored = stored};
}

std::string text_of(const CoderInput& input) {
  const std::vector<std::byte> bytes = input.encode();
  return std::string(as_text(bytes));
}

// Every fifth unit is changed a little, every hundredth is another number.
std::vector<std::byte> changed(std::vector<std::byte> bytes, unsigned unit) {
  for (size_t i = 0; i < bytes.size(); i += unit) {
    if (i / unit % 5 == 0) bytes[i] ^= static_cast<std::byte>(1 + i / unit % 3);
    if (i / unit % 100 == 0) bytes[i + unit - 1] ^= std::byte{0x23};
  }
  return bytes;
}

// What each coder makes of a chunk, unless it is long.
void add_sound(DType dtype, size_t units, bool predicted,
               std::map<std::string, std::string>& inputs) {
  constexpr size_t kLongest = 2048;
  CoderInput input = input_of(dtype, units, {});
  const std::vector<std::byte> value = changed(input.prediction(), dtype_unit(dtype));
  if (!predicted) input.pattern = {};
  const std::vector<std::byte> prediction = input.prediction();
  const ChunkInput chunk{.dtype = dtype, .value = value, .prediction = prediction};
  CoderScratch scratch;
  for (const Coder& coder : coders()) {
    if (!coder.analyze(chunk, scratch)) continue;
    std::vector<std::byte> stored;
    coder.encode(chunk, scratch, stored);
    if (stored.size() > kLongest) continue;
    input.stored = stored;
    inputs[fmt::format("{}_{}_{}{}", coder.name, dtype_name(dtype), units,
                       predicted ? "_predicted" : "")] = text_of(input);
  }
}

// Rows of 37, the first of them begun; zeros mostly, and a few large numbers.
void add_steps(DType dtype, size_t units, std::map<std::string, std::string>& inputs) {
  std::vector<int16_t> steps(units);
  for (size_t i = 0; i < units; ++i) {
    if (i % 5 == 0) steps[i] = static_cast<int16_t>(i % 3) - 1;
    if (i % 100 == 0) steps[i] = static_cast<int16_t>(i % 7 * 5000);
  }
  std::vector<std::byte> stored;
  encode_steps(steps, 0x1p-8f, {.columns = 37, .first = 30}, stored);
  const CoderInput input = input_of(dtype, units, stored);
  inputs[fmt::format("{}_{}_{}_predicted", kStepsCoder.name, dtype_name(dtype), units)] =
      text_of(input);
}

}  // namespace

std::string coder_input(DType dtype, size_t units, Bytes stored) {
  return text_of(input_of(dtype, units, stored));
}

std::map<std::string, std::string> sound_coder_inputs() {
  constexpr DType kDTypes[] = {DType::kU8,  DType::kF8E4M3, DType::kF8E5M2, DType::kF16,
                               DType::kF32, DType::kBF16,   DType::kF64};
  std::map<std::string, std::string> inputs;
  for (const DType dtype : kDTypes) {
    for (const size_t units : {1, 300, 4000}) {
      for (const bool predicted : {false, true}) add_sound(dtype, units, predicted, inputs);
    }
  }
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kF32}) {
    for (const size_t units : {1, 300, 4000}) add_steps(dtype, units, inputs);
  }
  return inputs;
}

}  // namespace finedelta
