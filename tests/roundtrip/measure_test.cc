// The measurement that the validation report shows.

#include "finedelta/measure.h"

#include "roundtrip/roundtrip.h"

namespace finedelta {
namespace {

TensorPair pair_of(const TestTensor& base, const TestTensor& tune) {
  return {.dtype = std::string(dtype_name(base.dtype)),
          .base = as_bytes(base.bytes),
          .fine_tune = as_bytes(tune.bytes)};
}

TEST(RoundtripMeasure, CompressesWhatItSays) {
  const TestTensor base = make_tensor("w", DType::kBF16, {700, 1000}, 1);
  const TestTensor same = make_tensor("s", DType::kF32, {100}, 2);
  const TestTensor tune = tuned(base);
  const std::vector<TensorPair> pairs{pair_of(base, tune), pair_of(same, same)};
  std::vector<uint64_t> stored;
  for (const unsigned threads : {1u, 3u}) {
    MeasureOptions options;
    options.threads = threads;
    const auto measured = measure(pairs, options);
    ASSERT_EQ(error_text(measured), "no error");
    EXPECT_EQ(measured->bytes, base.bytes.size() + same.bytes.size());
    EXPECT_GT(measured->delta_seconds, 0);
    EXPECT_GT(measured->compress_seconds, 0);
    EXPECT_GT(measured->decompress_seconds, 0);
    EXPECT_NE(measured->target, "");
    stored.push_back(measured->stored_bytes);
  }
  EXPECT_EQ(stored[0], stored[1]);
  EXPECT_GT(stored[0], base.bytes.size() / 50);
  EXPECT_LT(stored[0], base.bytes.size() / 2);
}

TEST(RoundtripMeasure, RefusesWhatIsNoPair) {
  const TestTensor base = make_tensor("w", DType::kBF16, {10}, 1);
  TestTensor other = base;
  other.bytes.pop_back();
  const auto error_of = [](const TensorPair& pair) {
    return error_text(measure(std::span(&pair, 1)));
  };
  EXPECT_EQ(error_of(pair_of(base, other)),
            "usage: tensors of 20 and 19 bytes are none of one shape");
  EXPECT_EQ(error_of(pair_of(other, other)),
            "usage: tensors of 19 and 19 bytes are none of one shape");
  other.dtype = DType::kU8;
  EXPECT_EQ(error_of(pair_of(other, other)), "usage: type 'U8' is not F16, BF16 or F32");
}

}  // namespace
}  // namespace finedelta
