// Gives stored bytes that nobody vouches for to every coder, see coder_input.h. On every target
// they are refused, or make the same value; and every coder gives that value back.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "archive_input.h"
#include "coder/coder.h"
#include "coder_input.h"
#include "kernels/target.h"

namespace {

using namespace finedelta;

using Buffer = std::vector<std::byte>;

// What the stored bytes stand for; nothing where they are refused.
std::optional<Buffer> decoded(const Coder& coder, Bytes stored, const CoderInput& input,
                              Bytes prediction) {
  static CoderScratch scratch;
  Buffer value(input.value_size());
  const Status status = coder.decode(stored, input.dtype, prediction, value, scratch);
  FUZZ_CHECK(value.size() == input.value_size());
  if (status) return value;
  FUZZ_CHECK(status.error().code == ErrorCode::kDamaged);
  check_message(status.error());
  return std::nullopt;
}

std::optional<Buffer> decoded_on_all_targets(const Coder& coder, const CoderInput& input,
                                             Bytes prediction) {
  static const std::vector<std::string> targets = supported_targets();
  std::optional<Buffer> first;
  for (const std::string& target : targets) {
    FUZZ_CHECK(force_target(target).has_value());
    auto value = decoded(coder, input.stored, input, prediction);
    if (&target == &targets.front())
      first = std::move(value);
    else
      FUZZ_CHECK(value == first);
  }
  FUZZ_CHECK(force_target(targets.front()).has_value());
  return first;
}

void check_round_trips(const CoderInput& input, Bytes value, Bytes prediction) {
  static CoderScratch scratch;
  const ChunkInput chunk{.dtype = input.dtype, .value = value, .prediction = prediction};
  for (const Coder& coder : coders()) {
    if (!coder.analyze(chunk, scratch)) continue;
    Buffer stored;
    coder.encode(chunk, scratch, stored);
    const auto again = decoded(coder, stored, input, prediction);
    // Larger than the value a coder need not be able to say anything: it is stored raw.
    FUZZ_CHECK(stored.size() >= value.size() || again.has_value());
    FUZZ_CHECK(!again || std::ranges::equal(*again, value));
  }
}

void check(Bytes bytes) {
  const auto input = parse_coder_input(bytes);
  if (!input) return;
  const Buffer prediction = input->prediction();
  for (const Coder& coder : coders()) {
    const auto value = decoded_on_all_targets(coder, *input, prediction);
    if (value) check_round_trips(*input, *value, prediction);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check(std::as_bytes(std::span(data, size)));
  return 0;
}
