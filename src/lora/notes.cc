#include "lora/notes.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "lora/survey.h"

namespace finedelta::peft {

namespace {

// A change of which less is kept is called one that is not of low rank.
constexpr double kLowRank = 0.95;
constexpr size_t kNamed = 3;

double kept(const LoraTensor& tensor) {
  const double error = tensor.relative_error.value_or(0);
  return 1 - error * error;
}

void note_energy(const LoraReport& report, const NoteCallback& note) {
  if (!report.energy_kept || *report.energy_kept >= kLowRank) return;
  std::vector<const LoraTensor*> worst;
  for (const LoraTensor& tensor : report.tensors) {
    if (tensor.relative_error && tensor.stored != "whole") worst.push_back(&tensor);
  }
  std::ranges::stable_sort(worst, {}, [](const LoraTensor* tensor) { return kept(*tensor); });
  worst.resize(std::min(worst.size(), kNamed));
  std::string names;
  for (const LoraTensor* tensor : worst) {
    names += fmt::format("{}{} ({:.1f} %)", names.empty() ? "" : ", ", quote(tensor->name),
                         100 * kept(*tensor));
  }
  note(
      fmt::format("what the fine-tune gained is not of low rank: the adapter keeps {:.1f} % of its "
                  "squared norm, least of {}",
                  100 * *report.energy_kept, names));
}

void note_left_out(const LoraReport& report, const NoteCallback& note) {
  std::string names;
  size_t named = 0;
  for (const LoraTensor& tensor : report.tensors) {
    if (tensor.stored != "left out" || named == kNamed) continue;
    ++named;
    names += fmt::format("{}{}{} ({})", names.empty() ? "" : "; ", quote(tensor.name),
                         tensor.relative_change
                             ? fmt::format(", changed by {:.2g} %", 100 * *tensor.relative_change)
                             : "",
                         tensor.reason);
  }
  if (named == 0) return;
  const uint64_t more = report.left_out - named;
  note(fmt::format("left out: {}{}", names, more > 0 ? fmt::format("; and {} more", more) : ""));
}

void note_resized(const LoraReport& report, const NoteCallback& note) {
  for (const LoraTensor& tensor : report.tensors) {
    if (tensor.stored != "whole" || tensor.reason != kResized) continue;
    note(
        fmt::format("{} is stored whole, as its shape is not the base's: give the base's module {} "
                    "rows (resize_token_embeddings) before the adapter is loaded",
                    quote(tensor.name), tensor.shape[0]));
  }
}

}  // namespace

void note_losses(const LoraReport& report, const NoteCallback& note) {
  if (!note) return;
  note_energy(report, note);
  note_left_out(report, note);
  note_resized(report, note);
}

void note_tie(const Adapter& adapter, const Ranks& ranks, const NoteCallback& note) {
  if (!note) return;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const AdapterModule& module = adapter.modules[i];
    if (module.tied.empty() || ranks[i] == 0) continue;
    note(fmt::format(
        "{} is tied to {}, and PEFT merges what the two gain twice into the weight that "
        "they share: untie them before you merge the adapter",
        quote(module.tied), quote(module.name)));
  }
}

}  // namespace finedelta::peft
