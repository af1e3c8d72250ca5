// Measurements as tables and as JSON.
#ifndef FINEDELTA_BENCH_CODERS_REPORT_H_
#define FINEDELTA_BENCH_CODERS_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure.h"

namespace finedelta::bench {

struct Report {
  std::string pair;
  uint64_t bytes = 0;  // of the fine-tune, all copies
  uint64_t weights = 0;
  size_t copies = 0;
  int rounds = 0;
  std::vector<Measurement> measurements;
};

// What one codec did. Speeds are of the fine-tune's bytes, medians over the rounds.
struct Figures {
  double bits_per_weight = 0;
  double ratio = 0;
  double encode_gbs = 0;
  double decode_gbs = 0;
  // How many times as fast as the reference codec in the same round, the median; nothing where that
  // one did not run.
  std::optional<double> encode_relative;
  std::optional<double> decode_relative;
};

[[nodiscard]] Figures figures_of(const Report& report, const Measurement& measurement);

// A line on what was measured, the table, and what has to be known to read it.
[[nodiscard]] std::string as_text(const Report& report);
[[nodiscard]] std::string as_markdown(const Report& report);

[[nodiscard]] std::string as_json(const Report& report);

}  // namespace finedelta::bench

#endif  // FINEDELTA_BENCH_CODERS_REPORT_H_
