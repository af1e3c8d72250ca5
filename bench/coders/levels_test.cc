// At no level does this library store more than the best of the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "codec.h"
#include "synthetic.h"

namespace finedelta::bench {
namespace {

uint64_t stored_by(const std::string& name, const Workload& workload) {
  const std::vector<CodecEntry> codecs = all_codecs();
  const auto entry = std::ranges::find(codecs, name, &CodecEntry::name);
  Sink stored;
  entry->make()->encode(workload.parts, workload.copies[0].base, workload.copies[0].value, stored);
  return stored.view().size();
}

void expect_no_more_than_the_others(const std::string& name, Pair pair) {
  const Workload workload = make_workload(name, std::move(pair), 0);
  uint64_t best = workload.bytes();
  for (const char* other : {"bitx", "tensorx", "fm-delta", "zstd", "zstd-patch"}) {
    best = std::min(best, stored_by(other, workload));
  }
  for (const int level : {1, 3, 5, 6, 9}) {
    EXPECT_LE(stored_by("finedelta:" + std::to_string(level), workload), best)
        << name << " at level " << level;
  }
}

class Levels : public testing::TestWithParam<const char*> {};

TEST_P(Levels, StoreNoMoreThanTheOthers) {
  const std::string spec = std::string(GetParam()) + ",n=192K,rows=256,cols=384";
  expect_no_more_than_the_others(spec, make_synthetic(parse_synthetic(spec).value()));
}

INSTANTIATE_TEST_SUITE_P(Pairs, Levels,
                         testing::Values("bf16:step=1e-5", "bf16:step=1e-3", "fp16:step=1e-4",
                                         "fp32:step=1e-4", "bf16:sparse=0.1", "bf16:lora=16",
                                         "fp32:lora=4", "bf16:vocab=20"),
                         [](const auto& test) { return std::to_string(test.index); });

TEST(LevelsOfARealPair, StoreNoMoreThanTheOthers) {
  const std::string folder = FINEDELTA_DEMO_PAIR;
  expect_no_more_than_the_others("demo", {load_model(folder + "/base.safetensors").value(),
                                          load_model(folder + "/fine-tune.safetensors").value()});
}

}  // namespace
}  // namespace finedelta::bench
