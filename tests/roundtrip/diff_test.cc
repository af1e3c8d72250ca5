// What the library says of two models: known numbers, every status, the same by any number of
// threads.

#include "finedelta/diff.h"

#include <cmath>
#include <limits>

#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"
#include "support/make_safetensors.h"

namespace finedelta {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Optional;

template <typename T>
TestTensor tensor_of(DType dtype, const std::vector<uint64_t>& shape, const std::vector<T>& values,
                     const std::string& name = "t") {
  const std::string bytes(as_text(std::as_bytes(std::span(values))));
  return {.name = name, .dtype = dtype, .shape = shape, .bytes = bytes};
}

// Changed, and compared.
using Counts = std::pair<uint64_t, uint64_t>;

class RoundtripDiff : public Roundtrip {
 protected:
  RoundtripDiff() { diff_.threads = 2; }

  DiffReport compare(const std::vector<TestTensor>& base, const std::vector<TestTensor>& fine) {
    const auto report =
        diff(write_shard("base.safetensors", base), write_shard("fine.safetensors", fine), diff_);
    EXPECT_EQ(error_text(report), "no error");
    return report.value_or(DiffReport{});
  }

  // Of two tensors of one name.
  TensorDiff compare_one(const TestTensor& base, const TestTensor& fine) {
    const DiffReport report = compare({base}, {fine});
    EXPECT_EQ(report.tensors.size(), 1);
    return report.tensors.at(0);
  }

  template <typename T>
  TensorDiff compare_values(DType dtype, const std::vector<T>& base, const std::vector<T>& fine) {
    return compare_one(tensor_of(dtype, {base.size()}, base),
                       tensor_of(dtype, {fine.size()}, fine));
  }

  DiffOptions diff_;
};

std::vector<std::string> statuses(const DiffReport& report) {
  std::vector<std::string> out;
  for (const TensorDiff& tensor : report.tensors) out.push_back(tensor.name + ": " + tensor.status);
  return out;
}

TEST_F(RoundtripDiff, NumbersOfBF16) {
  // 1 -> the next number, 2 -> 2, 3 -> -3, 0 -> -0.
  const TensorDiff found = compare_values<uint16_t>(DType::kBF16, {0x3F80, 0x4000, 0x4040, 0x0000},
                                                    {0x3F81, 0x4000, 0xC040, 0x8000});
  EXPECT_EQ(found.status, "changed");
  EXPECT_EQ(found.elements, 4);
  EXPECT_EQ(found.changed, 3);
  ASSERT_TRUE(found.floats.has_value());
  const FloatDiff& floats = *found.floats;
  EXPECT_DOUBLE_EQ(floats.norms.base, std::sqrt(1 + 4 + 9.0));
  EXPECT_DOUBLE_EQ(floats.norms.fine_tune, std::sqrt(1.0078125 * 1.0078125 + 4 + 9));
  EXPECT_DOUBLE_EQ(floats.norms.delta, std::sqrt(0x1p-14 + 36));
  EXPECT_DOUBLE_EQ(*floats.norms.relative(), floats.norms.delta / floats.norms.base);
  EXPECT_EQ(floats.largest_delta, 6);
  EXPECT_NEAR(*floats.cosine, (1.0078125 + 4 - 9) / (floats.norms.base * floats.norms.fine_tune),
              1e-15);
  EXPECT_THAT(floats.mantissa_bits, ElementsAre(1, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(floats.exponent_bits.size(), 8);
  EXPECT_THAT(floats.exponent_bits, Each(0));
  EXPECT_EQ(floats.sign_bit, 2);
  // 0x4040 + 0x4040 + 1 steps from 3 to -3: 2^15 and more.
  std::vector<uint64_t> steps(17);
  steps[0] = 1;
  steps[1] = 2;
  steps[16] = 1;
  EXPECT_EQ(floats.steps, steps);
}

TEST_F(RoundtripDiff, NumbersOfF16) {
  // 1 -> 2, the smallest number -> 0, 65504 -> infinity.
  const TensorDiff found =
      compare_values<uint16_t>(DType::kF16, {0x3C00, 0x0001, 0x7BFF}, {0x4000, 0x0000, 0x7C00});
  const FloatDiff& floats = *found.floats;
  EXPECT_DOUBLE_EQ(floats.norms.base, std::sqrt(1 + 0x1p-48));
  EXPECT_DOUBLE_EQ(floats.norms.fine_tune, 2);
  EXPECT_EQ(floats.largest_delta, 1);
  EXPECT_EQ(floats.base.infinities, 0);
  EXPECT_EQ(floats.fine_tune.infinities, 1);
  EXPECT_EQ(floats.mantissa_bits.size(), 10);
  EXPECT_EQ(floats.exponent_bits.size(), 5);
  // 0x400 = 2^10 steps, one step, one step.
  EXPECT_THAT(floats.steps, ElementsAre(0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
}

TEST_F(RoundtripDiff, NumbersOfF32) {
  const TensorDiff found = compare_values<float>(DType::kF32, {3, 4, 0.5F}, {3, 4, 0.75F});
  EXPECT_EQ(found.changed, 1);
  EXPECT_DOUBLE_EQ(found.floats->norms.base, std::sqrt(25.25));
  EXPECT_DOUBLE_EQ(found.floats->norms.delta, 0.25);
  EXPECT_EQ(found.floats->mantissa_bits.size(), 23);
  EXPECT_EQ(found.floats->mantissa_bits[22], 1);
  EXPECT_EQ(found.floats->exponent_bits.size(), 8);
  EXPECT_EQ(found.floats->steps.size(), 24);  // 2^22 steps
  EXPECT_EQ(found.floats->steps[23], 1);
}

TEST_F(RoundtripDiff, NumbersOfF64) {
  const TensorDiff found = compare_values<double>(DType::kF64, {3, 0x1p-1074}, {-4, 0});
  EXPECT_DOUBLE_EQ(found.floats->norms.base, 3);
  EXPECT_DOUBLE_EQ(found.floats->norms.delta, 7);
  EXPECT_DOUBLE_EQ(*found.floats->cosine, -1);
  EXPECT_EQ(found.floats->mantissa_bits.size(), 52);
  EXPECT_EQ(found.floats->exponent_bits.size(), 11);
  EXPECT_EQ(found.floats->sign_bit, 1);
  EXPECT_EQ(found.floats->steps.size(), 65);
  EXPECT_EQ(found.floats->steps[64], 1);
  EXPECT_EQ(found.floats->steps[1], 1);
}

TEST_F(RoundtripDiff, WhatIsNotFiniteIsCountedAndLeftOutOfNorms) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float nan = std::bit_cast<float>(0x7FC0'0000);
  const float other_nan = std::bit_cast<float>(0x7FC0'0001);
  const TensorDiff found = compare_values<float>(DType::kF32, {nan, nan, 5, kInfinity, 3},
                                                 {other_nan, nan, kInfinity, -kInfinity, 4});
  EXPECT_EQ(found.changed, 4);  // the second NaN has the same bits
  EXPECT_EQ(found.floats->base.nans, 2);
  EXPECT_EQ(found.floats->base.infinities, 1);
  EXPECT_EQ(found.floats->fine_tune.nans, 2);
  EXPECT_EQ(found.floats->fine_tune.infinities, 2);
  EXPECT_EQ(found.floats->norms.base, 3);
  EXPECT_EQ(found.floats->norms.fine_tune, 4);
  EXPECT_EQ(found.floats->largest_delta, 1);
  EXPECT_THAT(found.floats->cosine, Optional(1.0));
}

TEST_F(RoundtripDiff, ZerosHaveNoDirection) {
  const TensorDiff found = compare_values<float>(DType::kF32, {0, 0}, {-0.0F, 1});
  EXPECT_EQ(found.changed, 2);
  EXPECT_FALSE(found.floats->norms.relative().has_value());
  EXPECT_FALSE(found.floats->cosine.has_value());
  EXPECT_EQ(found.floats->steps[1], 1);
}

TEST_F(RoundtripDiff, TensorsWithoutElementsAndScalars) {
  const std::vector<float> none;
  const DiffReport report =
      compare({tensor_of(DType::kF32, {0, 4}, none, "a"), tensor_of<float>(DType::kF32, {}, {2})},
              {tensor_of(DType::kF32, {0, 4}, none, "a"), tensor_of<float>(DType::kF32, {}, {3})});
  EXPECT_THAT(statuses(report), ElementsAre("a: equal", "t: changed"));
  EXPECT_EQ(report.tensors[0].elements, 0);
  EXPECT_THAT(report.tensors[0].floats->steps, ElementsAre(0));
  EXPECT_EQ(report.tensors[0].floats->norms.base, 0);
  EXPECT_EQ(report.tensors[1].floats->norms.delta, 1);
}

TEST_F(RoundtripDiff, OtherTypesAreCounted) {
  const auto changed = [&](DType dtype, const std::vector<uint64_t>& shape, const char* base,
                           const char* fine, size_t bytes) {
    const TensorDiff found = compare_one({"t", dtype, shape, std::string(base, bytes)},
                                         {"t", dtype, shape, std::string(fine, bytes)});
    EXPECT_FALSE(found.floats.has_value());
    return Counts{found.changed, found.elements};
  };
  EXPECT_EQ(changed(DType::kI8, {4}, "abcd", "abxy", 4), (Counts{2, 4}));
  EXPECT_EQ(changed(DType::kBool, {2}, "\0\1", "\1\1", 2), (Counts{1, 2}));
  EXPECT_EQ(changed(DType::kF8E4M3, {3}, "abc", "xbc", 3), (Counts{1, 3}));
  EXPECT_EQ(changed(DType::kU16, {2}, "abcd", "xycd", 4), (Counts{1, 2}));
  EXPECT_EQ(changed(DType::kI32, {1}, "abcd", "abcx", 4), (Counts{1, 1}));
  EXPECT_EQ(changed(DType::kI64, {1}, "abcdefgh", "xbcdefgx", 8), (Counts{1, 1}));
  EXPECT_EQ(changed(DType::kC64, {1}, "abcdefgh", "abcdefgh", 8), (Counts{0, 1}));
  EXPECT_EQ(changed(DType::kF4, {4}, "\x12\x34", "\x13\x65", 2), (Counts{3, 4}));
  // 6 bits each: the first, and the last of the second three bytes.
  EXPECT_EQ(changed(DType::kF6E2M3, {8}, "\0\0\0\0\0\0", "\1\0\0\0\0\x80", 6), (Counts{2, 8}));
}

TEST_F(RoundtripDiff, EveryStatus) {
  const TestTensor same = make_tensor("same", DType::kBF16, {8, 4}, 1);
  const TestTensor moved = make_tensor("moved", DType::kBF16, {64, 4}, 2);
  const TestTensor wider = make_tensor("wider", DType::kBF16, {8, 4}, 3);
  const TestTensor typed = make_tensor("typed", DType::kBF16, {8, 4}, 4);
  const TestTensor gone = make_tensor("gone", DType::kBF16, {8}, 5);
  const TestTensor fresh = make_tensor("fresh", DType::kBF16, {8}, 6);
  const DiffReport report =
      compare({same, moved, wider, typed, gone},
              {fresh, same, tuned(moved), make_tensor("wider", DType::kBF16, {4, 8}, 3),
               make_tensor("typed", DType::kF16, {8, 4}, 4)});
  EXPECT_THAT(statuses(report),
              ElementsAre("fresh: only in fine-tune", "same: equal", "moved: changed",
                          "wider: other shape", "typed: other dtype", "gone: only in base"));
  EXPECT_EQ(report.equal, 1);
  EXPECT_EQ(report.changed, 1);
  EXPECT_EQ(report.not_comparable, 2);
  EXPECT_EQ(report.only_in_base, 1);
  EXPECT_EQ(report.only_in_fine_tune, 1);
  EXPECT_EQ(report.elements, 32 + 256);
  EXPECT_EQ(report.changed_elements, report.tensors[2].changed);
  EXPECT_EQ(report.norms.delta, report.tensors[2].floats->norms.delta);
  EXPECT_EQ(report.tensors[5].dtype, "");
  EXPECT_EQ(report.tensors[5].base_dtype, "BF16");
  EXPECT_EQ(report.tensors[4].dtype, "F16");
  EXPECT_FALSE(report.identical());
}

TEST_F(RoundtripDiff, SharedRowsOfAResizedTensor) {
  const TestTensor small = make_tensor("t", DType::kF32, {3, 4}, 1);
  TestTensor large = make_tensor("t", DType::kF32, {5, 4}, 2);
  std::ranges::copy(small.bytes, large.bytes.begin());
  for (const bool grown : {true, false}) {
    const TensorDiff found = compare_one(grown ? small : large, grown ? large : small);
    EXPECT_EQ(found.status, "resized");
    EXPECT_EQ(found.elements, 12);
    EXPECT_EQ(found.changed, 0);
  }
  large.bytes[0] ^= 1;
  EXPECT_EQ(compare_one(small, large).changed, 1);
  EXPECT_FALSE(compare({small}, {large}).identical());
}

TEST_F(RoundtripDiff, NamesThatDifferByAPrefix) {
  const std::vector<TestTensor> base = {make_tensor("a.x", DType::kBF16, {8}, 1),
                                        make_tensor("b.y", DType::kBF16, {8}, 2)};
  const DiffReport report =
      compare(base, {renamed(base[0], "model.a.x"), renamed(base[1], "model.b.y")});
  EXPECT_THAT(statuses(report), ElementsAre("model.a.x: equal", "model.b.y: equal"));
  EXPECT_EQ(report.tensors[0].base_tensor, "a.x");
  EXPECT_EQ(report.renamed, 2);
  EXPECT_FALSE(report.identical());
}

TEST_F(RoundtripDiff, ANameWithAndWithoutAPrefix) {
  const TestTensor y = make_tensor("y", DType::kBF16, {8}, 1);
  const TestTensor z = make_tensor("z", DType::kBF16, {8}, 2);
  const DiffReport report = compare({y, z}, {renamed(y, "m.y"), y, renamed(z, "m.z")});
  EXPECT_THAT(statuses(report), ElementsAre("m.y: only in fine-tune", "y: equal", "m.z: equal"));
}

TEST_F(RoundtripDiff, OneNameInSeveralShards) {
  const TestTensor one = make_tensor("t", DType::kBF16, {8}, 1);
  const TestTensor two = make_tensor("t", DType::kBF16, {8}, 2);
  const TestTensor three = make_tensor("t", DType::kBF16, {8}, 3);
  for (const auto& [shard, tensor] : {std::pair("encoder/x", one), std::pair("unet/x", two)}) {
    (void)write_shard(std::string("base/") + shard + ".safetensors", {tensor});
    (void)write_shard(std::string("fine/") + shard + ".safetensors", {tensor});
  }
  const auto pairs = [&] {
    const auto report = diff(dir_.path("base"), dir_.path("fine"), diff_);
    EXPECT_EQ(error_text(report), "no error");
    std::vector<std::string> out;
    for (const TensorDiff& tensor : report->tensors) {
      out.push_back(tensor.base_shard + " -> " + tensor.shard + ": " + tensor.status);
    }
    return out;
  };
  EXPECT_THAT(pairs(), ElementsAre("encoder/x.safetensors -> encoder/x.safetensors: equal",
                                   "unet/x.safetensors -> unet/x.safetensors: equal"));
  // Elsewhere, and one more.
  std::filesystem::rename(dir_.path("fine/unet/x.safetensors"),
                          dir_.path("fine/unet/y.safetensors"));
  (void)write_shard("fine/z.safetensors", {three});
  EXPECT_THAT(pairs(), ElementsAre("encoder/x.safetensors -> encoder/x.safetensors: equal",
                                   "unet/x.safetensors -> unet/y.safetensors: equal",
                                   " -> z.safetensors: only in fine-tune"));
}

TEST_F(RoundtripDiff, NumbersTooLargeForTheirSquares) {
  const TensorDiff found = compare_values<double>(DType::kF64, {1e300, 0}, {-1e300, 1});
  EXPECT_EQ(found.floats->largest_delta, 2e300);
  EXPECT_TRUE(std::isinf(found.floats->norms.base));
  EXPECT_FALSE(found.floats->cosine.has_value());
}

TEST_F(RoundtripDiff, FilesByPath) {
  const std::vector<TestTensor> tensors = {make_tensor("t", DType::kBF16, {8}, 1)};
  for (const char* model : {"base", "fine"}) {
    (void)write_shard(std::string(model) + "/model.safetensors", tensors);
    dir_.write(std::string(model) + "/same.txt", "the same");
    dir_.write(std::string(model) + "/other.txt", model);
    dir_.write(std::string(model) + "/sizes.txt", std::string(model) == "base" ? "one" : "three");
  }
  dir_.write("base/gone/a.txt", "a");
  dir_.write("fine/new.txt", "b");
  const auto report = diff(dir_.path("base"), dir_.path("fine"), diff_);
  ASSERT_EQ(error_text(report), "no error");
  std::vector<std::string> files;
  for (const FileDiff& file : report->files) files.push_back(file.path + ": " + file.status);
  EXPECT_THAT(files, ElementsAre("gone/a.txt: only in base", "new.txt: only in fine-tune",
                                 "other.txt: changed", "sizes.txt: changed"));
  EXPECT_EQ(report->equal_files, 1);
  EXPECT_EQ(report->equal, 1);
  EXPECT_FALSE(report->identical());
  const auto one_file = diff(dir_.path("base"), dir_.path("fine/model.safetensors"), diff_);
  ASSERT_EQ(error_text(one_file), "no error");
  EXPECT_TRUE(one_file->identical());
}

// What the report says of all tensors, bit by bit.
std::vector<uint64_t> bits_of(const DiffReport& report) {
  std::vector<uint64_t> bits;
  const auto add = [&](double value) { bits.push_back(std::bit_cast<uint64_t>(value)); };
  for (const TensorDiff& tensor : report.tensors) {
    bits.push_back(tensor.changed);
    if (tensor.rank) add(tensor.rank->value);
    if (!tensor.floats) continue;
    add(tensor.floats->norms.base);
    add(tensor.floats->norms.delta);
    add(*tensor.floats->cosine);
    add(tensor.floats->largest_delta);
    for (const uint64_t count : tensor.floats->steps) bits.push_back(count);
    for (const uint64_t count : tensor.floats->mantissa_bits) bits.push_back(count);
  }
  add(report.norms.delta);
  return bits;
}

TEST_F(RoundtripDiff, TheSameByAnyNumberOfThreadsAndMemory) {
  const std::vector<TestTensor> base = {make_tensor("large", DType::kBF16, {1030, 1100}, 1),
                                        make_tensor("small", DType::kF32, {37, 50}, 2),
                                        make_tensor("bytes", DType::kU8, {600000}, 3),
                                        make_tensor("long", DType::kF16, {1 << 19}, 4)};
  const std::string base_file = write_shard("base.safetensors", base);
  const std::string fine_file = write_shard("fine.safetensors", tuned(base));
  diff_.rank = true;
  std::vector<uint64_t> first;
  for (const unsigned threads : {1u, 2u, 7u}) {
    for (const uint64_t memory : {kDefaultMemory, kLeastMemory}) {
      diff_.threads = threads;
      diff_.memory = memory;
      const auto report = diff(base_file, fine_file, diff_);
      ASSERT_EQ(error_text(report), "no error");
      if (first.empty()) first = bits_of(*report);
      EXPECT_EQ(bits_of(*report), first) << threads << " threads, " << memory << " bytes";
    }
  }
  EXPECT_GT(first.size(), 60);
}

TEST_F(RoundtripDiff, ProgressGoesToTheEnd) {
  Progress last;
  diff_.progress = [&](const Progress& progress) { last = progress; };
  const TestTensor tensor = make_tensor("t", DType::kBF16, {600, 600}, 1);
  for (const bool rank : {false, true}) {
    diff_.rank = rank;
    (void)compare_one(tensor, tuned(tensor));
    EXPECT_EQ(last.done, last.total);
    EXPECT_EQ(last.total, 2u * 600 * 600 * (rank ? 2 : 1));
  }
}

TEST_F(RoundtripDiff, CanBeCancelled) {
  Cancellation cancellation;
  cancellation.cancel();
  diff_.cancel = &cancellation;
  const std::string file = write_shard("t.safetensors", {make_tensor("t", DType::kBF16, {8}, 1)});
  EXPECT_EQ(error_text(diff(file, file, diff_)), "cancelled: interrupted");
}

TEST_F(RoundtripDiff, CanBeCancelledOnItsWay) {
  diff_.rank = true;
  const TestTensor tensor = make_tensor("t", DType::kBF16, {2000, 600}, 1);
  const std::string base = write_shard("base.safetensors", {tensor});
  const std::string fine = write_shard("fine.safetensors", {tuned(tensor)});
  // After the first chunk; when all is compared, but no rank known.
  for (const uint64_t bytes : {1u, 2u * 2000 * 600}) {
    Cancellation cancellation;
    diff_.cancel = &cancellation;
    diff_.progress = [&](const Progress& progress) {
      if (progress.done >= bytes) cancellation.cancel();
    };
    EXPECT_EQ(error_text(diff(base, fine, diff_)), "cancelled: interrupted");
  }
}

TEST_F(RoundtripDiff, TooLittleMemoryIsRefused) {
  diff_.memory = kLeastMemory - 1;
  EXPECT_EQ(error_text(diff("a", "b", diff_)),
            "usage: the memory limit of 67108863 bytes is under the least one, 64 MiB");
}

TEST_F(RoundtripDiff, RanksThatAreKnown) {
  diff_.rank = true;
  // Three directions of equal strength: rows 0 to 2 of the identity.
  for (const bool wide : {false, true}) {
    const std::vector<uint64_t> shape =
        wide ? std::vector<uint64_t>{5, 70} : std::vector<uint64_t>{70, 5};
    std::vector<float> values(350);
    for (const size_t k : {0, 1, 2}) values[k * shape[1] + k] = 0x1p-80F;
    const TensorDiff found = compare_one(tensor_of(DType::kF32, shape, std::vector<float>(350)),
                                         tensor_of(DType::kF32, shape, values));
    ASSERT_TRUE(found.rank.has_value());
    EXPECT_DOUBLE_EQ(found.rank->value, 3);
    EXPECT_FALSE(found.rank->estimated);
  }
}

TEST_F(RoundtripDiff, RanksThatAreEstimated) {
  diff_.rank = true;
  const TestTensor base = make_tensor("t", DType::kF32, {1100, 1030}, 1);
  const TensorDiff found = compare_one(base, with_adapter(base, 4, DType::kF32));
  ASSERT_TRUE(found.rank.has_value());
  EXPECT_TRUE(found.rank->estimated);
  EXPECT_GT(found.rank->value, 2);
  EXPECT_LT(found.rank->value, 4.01);
}

TEST_F(RoundtripDiff, MatricesAloneHaveRanks) {
  diff_.rank = true;
  const auto has_rank = [&](const TestTensor& base, const TestTensor& fine) {
    return compare_one(base, fine).rank.has_value();
  };
  const TestTensor matrix = make_tensor("t", DType::kBF16, {8, 8}, 1);
  EXPECT_TRUE(has_rank(matrix, tuned(matrix)));
  EXPECT_FALSE(has_rank(matrix, matrix));
  const TestTensor vector = make_tensor("t", DType::kBF16, {64}, 1);
  EXPECT_FALSE(has_rank(vector, tuned(vector)));
  const TestTensor integers = make_tensor("t", DType::kI16, {8, 8}, 1);
  EXPECT_FALSE(has_rank(integers, tuned(integers)));
  const TestTensor resized = make_tensor("t", DType::kBF16, {9, 8}, 2);
  EXPECT_TRUE(has_rank(matrix, resized));
  diff_.rank = false;
  EXPECT_FALSE(has_rank(matrix, tuned(matrix)));
}

}  // namespace
}  // namespace finedelta
