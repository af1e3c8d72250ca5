#include <charconv>
#include <optional>

#include "base/error.h"
#include "render/units.h"
#include "synthetic.h"

namespace finedelta::bench {

namespace {

constexpr double kLoraStep = 1.25e-3;

std::optional<DType> float_type(std::string_view name) {
  if (name == "bf16") return DType::kBF16;
  if (name == "fp16") return DType::kF16;
  if (name == "fp32") return DType::kF32;
  return std::nullopt;
}

bool set_real(std::string_view text, double& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size() && to >= 0;
}

bool set_count(std::string_view text, uint64_t& to) {
  const auto count = cli::parse_size(text);
  if (count) to = *count;
  return count.has_value();
}

bool set_member(std::string_view key, std::string_view value, SyntheticSpec& spec) {
  if (key == "step") return set_real(value, spec.step);
  if (key == "sparse") return set_real(value, spec.sparse);
  if (key == "n") return set_count(value, spec.weights);
  if (key == "rows") return set_count(value, spec.rows);
  if (key == "cols") return set_count(value, spec.cols);
  if (key == "vocab") return set_count(value, spec.vocab);
  if (key == "seed") return set_count(value, spec.seed);
  return key == "lora" && set_count(value, spec.lora_rank);
}

// Takes what stands before the first `separator`, or everything, from the front of `text`.
std::string_view take(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

}  // namespace

Result<SyntheticSpec> parse_synthetic(std::string_view text) {
  SyntheticSpec spec;
  std::string_view rest = text;
  const std::string_view type = take(rest, ':');
  const auto dtype = float_type(type);
  if (!dtype) return fail(ErrorCode::kUsage, "{} is none of bf16, fp16, fp32", quote(type));
  spec.dtype = *dtype;
  bool step_is_given = false;
  while (!rest.empty()) {
    std::string_view value = take(rest, ',');
    const std::string_view member = value;
    const std::string_view key = take(value, '=');
    step_is_given = step_is_given || key == "step";
    if (!set_member(key, value, spec)) {
      return fail(ErrorCode::kUsage, "{} can't be part of a synthetic pair", quote(member));
    }
  }
  if (spec.lora_rank > 0 && !step_is_given) spec.step = kLoraStep;
  if (spec.weights == 0 || spec.rows == 0 || spec.cols == 0) {
    return fail(ErrorCode::kUsage, "{} has no weights", quote(text));
  }
  if (spec.weights % spec.cols != 0) {
    return fail(ErrorCode::kUsage, "{} weights are no whole rows of {}", spec.weights, spec.cols);
  }
  return spec;
}

}  // namespace finedelta::bench
