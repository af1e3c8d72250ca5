// A base and a fine-tune in memory, and what of the fine-tune the base predicts.
#ifndef FINEDELTA_BENCH_CODERS_PAIR_H_
#define FINEDELTA_BENCH_CODERS_PAIR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "finedelta/result.h"
#include "numeric/dtype.h"
#include "safetensors/header.h"

namespace finedelta::bench {

// The tensors of a model and their bytes without gaps: `begin` and `end` are places in `data`.
struct Model {
  std::vector<safetensors::Tensor> tensors;
  std::vector<std::byte> data;
};

struct Pair {
  Model base;
  Model fine_tune;
};

// Elements of the fine-tune that are coded alike: a whole tensor, or the first or last rows of one.
struct Part {
  DType dtype = DType::kU8;
  size_t begin = 0;                  // in the fine-tune's data
  size_t size = 0;                   // bytes
  std::optional<size_t> base_begin;  // in the base's data; nothing where the base has no such rows
  size_t columns = 0;                // of a matrix; 0 where it is none

  [[nodiscard]] Bytes prediction(Bytes base) const {
    return base_begin ? base.subspan(*base_begin, size) : Bytes{};
  }
};

// Pairs tensors of the same name, type and shape. Where only the number of rows differs, the rows
// that both have are one part, the others, without a prediction, another. Parts are in order of the
// fine-tune's data and cover it.
[[nodiscard]] std::vector<Part> match_parts(const Pair& pair);

// The models in memory, as often as they were repeated; each copy is bytes of its own.
struct Copy {
  std::vector<std::byte> base;
  std::vector<std::byte> value;
};

struct Workload {
  std::string name;
  std::vector<Part> parts;  // of every copy
  std::vector<Copy> copies;

  [[nodiscard]] uint64_t bytes() const;    // of all copies of the fine-tune
  [[nodiscard]] uint64_t weights() const;  // elements of these
};

// Repeats the pair until the fine-tunes have `least_bytes`; once where that is 0.
[[nodiscard]] Workload make_workload(std::string name, Pair pair, uint64_t least_bytes);

// All tensors of a .safetensors file, a directory of them or a model in the Hugging Face cache.
Result<Model> load_model(const std::string& path);

// Writes base.safetensors and fine-tune.safetensors into `directory`, which is made if need be.
Status write_pair(const std::string& directory, const Pair& pair);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_PAIR_H_
