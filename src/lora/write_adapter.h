// Writing adapter_model.safetensors.
#ifndef FINEDELTA_LORA_WRITE_ADAPTER_H_
#define FINEDELTA_LORA_WRITE_ADAPTER_H_

#include "base/file.h"
#include "finedelta/result.h"
#include "lora/adapter.h"
#include "lora/spool.h"

namespace finedelta::peft {

Status write_header(const OutputFile& out, const AdapterLayout& layout);

// Writes the factors of one module as A and B, and turns `factors` into what they are when read
// again: numbers of the module's type. Any thread.
Status write_factors(const OutputFile& out, const Adapter& adapter, const AdapterLayout& layout,
                     size_t module, MatrixFactors& factors);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_WRITE_ADAPTER_H_
