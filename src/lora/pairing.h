// Which tensor of the base stands for which of the fine-tune, by names alone.
#ifndef FINEDELTA_LORA_PAIRING_H_
#define FINEDELTA_LORA_PAIRING_H_

#include <vector>

#include "lora/survey.h"

namespace finedelta::peft {

// In order of the fine-tune's shards and tensors.
[[nodiscard]] std::vector<TensorPair> pair_tensors(const Inputs& inputs);

// Divides a tensor's name at its last dot. A name without one has no module.
void name_parts(std::string_view name, std::string& module, std::string& leaf);

// Of two names of one tensor that differ by a prefix the longer one: the model for which adapters
// are made names its modules from the top.
[[nodiscard]] const std::string& longer_name(const std::string& a, const std::string& b);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_PAIRING_H_
