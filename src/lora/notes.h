// What a user should know of what an adapter does not hold.
#ifndef FINEDELTA_LORA_NOTES_H_
#define FINEDELTA_LORA_NOTES_H_

#include "finedelta/lora.h"
#include "lora/adapter.h"

namespace finedelta::peft {

// One sentence each, where there is reason: how much of the differences is kept and of which
// matrices least; which tensors are left out; which are stored whole for their other shape.
void note_losses(const LoraReport& report, const NoteCallback& note);

// Where an embedding has factors that its tied output layer has too.
void note_tie(const Adapter& adapter, const Ranks& ranks, const NoteCallback& note);

}  // namespace finedelta::peft

#endif  // FINEDELTA_LORA_NOTES_H_
