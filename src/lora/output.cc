#include "lora/output.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta::peft {

Status write_config(const AtomicDirectory& directory, const Adapter& adapter, const Ranks& ranks,
                    const BaseModel& base) {
  FINEDELTA_ASSIGN(const OutputFile out, directory.create_file(kConfigFile, false));
  FINEDELTA_CHECK(out.write(0, as_bytes(adapter_config(adapter, ranks, base))));
  return out.sync();
}

void count_modules(const Adapter& adapter, const Ranks& ranks, LoraReport& report) {
  report.saved_modules = adapter.saved_modules.size();
  for (const size_t rank : ranks) {
    if (rank == 0) continue;
    ++report.modules;
    report.largest_rank = std::max<uint64_t>(report.largest_rank, rank);
  }
}

}  // namespace finedelta::peft
