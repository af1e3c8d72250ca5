#include "coder/steps/steps.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/adaptive_values.h"
#include "base/error.h"
#include "kernels/cast.h"
#include "kernels/low_rank.h"

namespace finedelta {

namespace {

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kDamaged, "steps: {}", why);
}

// A product of one row, 1, and one column, the steps: its arithmetic is that of spec.md.
class StepsProduct {
 public:
  static constexpr size_t kMost = 1024;

  StepsProduct(std::span<const int16_t> steps, float scale) : count_(steps.size()), scale_(scale) {
    // Each is the lower half of a pair of factors, of which the upper is 0.
    for (size_t i = 0; i < count_; ++i) right_[i] = static_cast<uint16_t>(steps[i]);
  }

  void add(DType dtype, const std::byte* prediction, std::byte* value) const {
    constexpr int32_t kLeft = 1;
    const LowRankProduct product = {.columns = count_,
                                    .pairs = 1,
                                    .scale = scale_,
                                    .left = &kLeft,
                                    .right = right_.data(),
                                    .stride = right_.size()};
    add_low_rank(dtype, product, 0, count_, prediction, value);
  }

 private:
  size_t count_;
  float scale_;
  std::array<int32_t, kMost + kLowRankPadding> right_{};
};

}  // namespace

void apply_steps(DType dtype, Bytes prediction, std::span<const int16_t> steps, float scale,
                 MutableBytes value) {
  static constexpr std::array<std::byte, StepsProduct::kMost * sizeof(float)> kZeros{};
  const size_t unit = dtype_unit(dtype);
  for (size_t at = 0; at < steps.size(); at += StepsProduct::kMost) {
    const size_t count = std::min(steps.size() - at, StepsProduct::kMost);
    StepsProduct(steps.subspan(at, count), scale)
        .add(dtype, prediction.empty() ? kZeros.data() : prediction.data() + at * unit,
             value.data() + at * unit);
  }
}

void encode_steps(std::span<const int16_t> steps, float scale, const StepsPlace& place,
                  std::vector<std::byte>& stored) {
  // No column of longer rows comes twice: there is nothing to learn of it, whichever it is.
  const bool is_long = place.columns > steps.size();
  const uint64_t columns = is_long ? steps.size() : place.columns;
  const uint64_t first = is_long ? 0 : place.first;
  ByteWriter head;
  head.u32(std::bit_cast<uint32_t>(scale));
  head.varint(columns);
  head.varint(first);
  RangeEncoder bits;
  encode_values(bits, steps, columns, first);
  const std::vector<std::byte> stream = bits.finish();
  stored.insert(stored.end(), head.view().begin(), head.view().end());
  stored.insert(stored.end(), stream.begin(), stream.end());
}

Status decode_steps(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                    CoderScratch& scratch) {
  if (!is_castable(dtype)) return refuse("not for this type");
  const uint64_t units = value.size() / dtype_unit(dtype);
  ByteReader in(stored);
  const auto scale = std::bit_cast<float>(in.u32());
  const uint64_t columns = in.varint();
  const uint64_t first = in.varint();
  if (!in.ok()) return refuse(in.why());
  if (!is_low_rank_scale(scale)) return refuse("the scale is out of its range");
  if (columns == 0 || columns > units) return refuse("no columns, or more than values");
  if (first >= columns) return refuse("the first column is out of its range");
  if (units > in.remaining() * kMostAdaptiveValues) return refuse("cut short");
  scratch.steps.resize(units);
  RangeDecoder bits(in.bytes(in.remaining()));
  if (!decode_values(bits, scratch.steps, columns, first)) return refuse("a value is too large");
  if (!bits.at_end()) return refuse("bytes behind the end");
  apply_steps(dtype, prediction, scratch.steps, scale, value);
  return {};
}

std::optional<uint64_t> analyze_no_steps(const ChunkInput& /*chunk*/, CoderScratch& /*scratch*/) {
  return std::nullopt;
}

void encode_no_steps(const ChunkInput& /*chunk*/, CoderScratch& /*scratch*/,
                     std::vector<std::byte>& /*stored*/) {}

}  // namespace finedelta
