// The directory that holds an adapter, and what both ways to make one share.
#ifndef FINEDELTA_LORA_OUTPUT_H_
#define FINEDELTA_LORA_OUTPUT_H_

#include "base/atomic_output.h"
#include "finedelta/lora.h"
#include "lora/adapter.h"

namespace finedelta::peft {

// Writes adapter_config.json.
Status write_config(const AtomicDirectory& directory, const Adapter& adapter, const Ranks& ranks,
                    const BaseModel& base);

// Counts modules, ranks and bytes.
void count_modules(const Adapter& adapter, const Ranks& ranks, LoraReport& report);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_OUTPUT_H_
