// How fast the kernels of src/kernels are, beside memcpy of as many bytes in the same run. The
// target is chosen by the environment variable FINEDELTA_TARGET. Rates count input bytes (of the
// values; the prediction is not counted).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/cast.h"
#include "kernels/compare.h"
#include "kernels/linear.h"
#include "kernels/low_rank.h"
#include "kernels/planes.h"
#include "kernels/target.h"

namespace finedelta {
namespace {

// Input, prediction and output together stay in an L2 cache of 1 MiB.
constexpr size_t kSize = 128 * 1024;

// Contents do not matter to any of the loops but F32 to F16 on SCALAR, which branches on them.
std::vector<std::byte> test_bytes() {
  std::vector<std::byte> bytes(kSize);
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<std::byte>(i * 167 % 251);
  return bytes;
}

template <typename Loop>
void measure(benchmark::State& state, Loop loop) {
  const std::vector<std::byte> in = test_bytes();
  const std::vector<std::byte> prediction(kSize, std::byte{1});
  std::vector<std::byte> out(2 * kSize);
  for (auto _ : state) {
    loop(in.data(), prediction.data(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kSize));
}

void copy(benchmark::State& state) {
  measure(state, [](const std::byte* in, const std::byte*, std::byte* out) {
    std::memcpy(out, in, kSize);
  });
}

void split(benchmark::State& state, unsigned unit) {
  measure(state, [unit](const std::byte* in, const std::byte* prediction, std::byte* out) {
    xor_split(unit, in, prediction, kSize / unit, out);
  });
}

void join(benchmark::State& state, unsigned unit) {
  measure(state, [unit](const std::byte* in, const std::byte* prediction, std::byte* out) {
    xor_join(unit, in, prediction, kSize / unit, out);
  });
}

void cast(benchmark::State& state, DType from, DType to) {
  const size_t count = kSize / dtype_unit(from);
  measure(state, [=](const std::byte* in, const std::byte*, std::byte* out) {
    cast_elements(from, to, in, count, out);
  });
}

// A chunk in the middle of a matrix of 4096 columns, beginning in the middle of a row. "items" are
// weights.
void low_rank(benchmark::State& state, DType type) {
  constexpr size_t kRows = 66, kColumns = 4096, kCount = size_t{1} << 18;
  const auto rank = static_cast<size_t>(state.range(0));
  const auto factors = [rank](size_t length) {
    std::vector<int16_t> values(rank * length);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<int16_t>(i * 167 % 251) - 125;
    return values;
  };
  const std::vector<int32_t> left = pack_left(factors(kRows), kRows);
  const std::vector<int32_t> right = pack_right(factors(kColumns), kColumns);
  const LowRankProduct product = {.columns = kColumns,
                                  .pairs = (rank + 1) / 2,
                                  .scale = 0x1p-24f,
                                  .left = left.data(),
                                  .right = right.data(),
                                  .stride = kColumns + kLowRankPadding};
  const std::vector<std::byte> base(kCount * dtype_unit(type), std::byte{0x3C});
  std::vector<std::byte> out(base.size());
  for (auto _ : state) {
    add_low_rank(type, product, kColumns / 2, kCount, base.data(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}

void scale(benchmark::State& state, DType from, DType to) {
  const size_t count = kSize / dtype_unit(from);
  measure(state, [=](const std::byte* in, const std::byte*, std::byte* out) {
    scale_elements({from, in}, 0.9f, count, to, out);
  });
}

void combine(benchmark::State& state, DType from, DType to) {
  const size_t count = kSize / dtype_unit(from);
  measure(state, [=](const std::byte* in, const std::byte* prediction, std::byte* out) {
    combine_elements({from, in}, {from, prediction}, {0.3f, 0.7f}, count, to, out);
  });
}

void compare(benchmark::State& state, DType type) {
  FloatComparison found;
  measure(state, [&](const std::byte* in, const std::byte* prediction, std::byte*) {
    compare_floats(type, prediction, in, kSize / dtype_unit(type), found);
    benchmark::DoNotOptimize(found);
  });
}

BENCHMARK(copy);
BENCHMARK_CAPTURE(split, unit_1, 1);
BENCHMARK_CAPTURE(split, unit_2, 2);
BENCHMARK_CAPTURE(split, unit_4, 4);
BENCHMARK_CAPTURE(split, unit_8, 8);
BENCHMARK_CAPTURE(join, unit_1, 1);
BENCHMARK_CAPTURE(join, unit_2, 2);
BENCHMARK_CAPTURE(join, unit_4, 4);
BENCHMARK_CAPTURE(join, unit_8, 8);
BENCHMARK_CAPTURE(cast, f32_to_bf16, DType::kF32, DType::kBF16);
BENCHMARK_CAPTURE(cast, bf16_to_f32, DType::kBF16, DType::kF32);
BENCHMARK_CAPTURE(cast, f32_to_f16, DType::kF32, DType::kF16);
BENCHMARK_CAPTURE(cast, f16_to_f32, DType::kF16, DType::kF32);
BENCHMARK_CAPTURE(cast, f16_to_bf16, DType::kF16, DType::kBF16);
BENCHMARK_CAPTURE(cast, bf16_to_f16, DType::kBF16, DType::kF16);
BENCHMARK_CAPTURE(low_rank, bf16, DType::kBF16)->Arg(8)->Arg(16)->Arg(32)->Arg(64);
BENCHMARK_CAPTURE(low_rank, f16, DType::kF16)->Arg(16);
BENCHMARK_CAPTURE(low_rank, f32, DType::kF32)->Arg(16)->Arg(32);
BENCHMARK_CAPTURE(scale, bf16, DType::kBF16, DType::kBF16);
BENCHMARK_CAPTURE(scale, f32, DType::kF32, DType::kF32);
BENCHMARK_CAPTURE(combine, bf16, DType::kBF16, DType::kBF16);
BENCHMARK_CAPTURE(combine, f32, DType::kF32, DType::kF32);
BENCHMARK_CAPTURE(compare, f16, DType::kF16);
BENCHMARK_CAPTURE(compare, bf16, DType::kBF16);
BENCHMARK_CAPTURE(compare, f32, DType::kF32);
BENCHMARK_CAPTURE(compare, f64, DType::kF64);

}  // namespace
}  // namespace finedelta

int main(int argc, char** argv) {
  if (const auto status = finedelta::apply_forced_target(); !status) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return static_cast<int>(status.error().code);
  }
  benchmark::AddCustomContext("target", finedelta::active_target());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
