// Made-up pairs: the same bytes for the same description, on machines with the same C library.
#ifndef FINEDELTA_BENCH_CODERS_SYNTHETIC_H_
#define FINEDELTA_BENCH_CODERS_SYNTHETIC_H_

#include <cstdint>
#include <string_view>

#include "finedelta/result.h"
#include "numeric/dtype.h"
#include "pair.h"

namespace finedelta::bench {

struct SyntheticSpec {
  DType dtype = DType::kBF16;
  uint64_t weights = uint64_t{32} << 20;  // of the base: whole rows
  uint64_t rows = 2048;                   // of every tensor but, maybe, the last
  uint64_t cols = 2048;
  double step = 1e-4;      // standard deviation of what the fine-tune adds
  double sparse = 1;       // share of the weights that it is added to
  uint64_t lora_rank = 0;  // the step is a product of that rank; 0: independent values
  uint64_t vocab = 0;      // rows that the fine-tune's first tensor has in addition
  uint64_t seed = 1;
};

// Reads "bf16:step=1e-4,n=32M" and the like: a type (bf16, fp16, fp32), then any of step, n, rows,
// cols, sparse, lora, vocab, seed. With `lora`, step is 1.25e-3 unless given: a sixteenth of the
// base's deviation, about what a merged LoRA of a small language model added. kUsage for anything
// else, and where the weights are no whole rows.
Result<SyntheticSpec> parse_synthetic(std::string_view text);

// The base is Gaussian with a standard deviation of 0.02.
[[nodiscard]] Pair make_synthetic(const SyntheticSpec& spec);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_SYNTHETIC_H_
