// Chunks of coder steps that break a rule of docs/format.md or of src/coder/steps/spec.md each.
#include <functional>

#include "base/bytes.h"
#include "base/range_coder.h"
#include "coder/steps/steps.h"
#include "corrupt/lies.h"

namespace finedelta::corrupt {

namespace {

// What stands for the 64 units of tensor "a", F32, predicted.
struct Stored {
  uint32_t scale = 0x3A800000;  // 2^-10
  uint64_t columns = 8;
  uint64_t first = 3;
  std::string stream = "\x40";
};

std::string bytes_of(const Stored& stored) {
  ByteWriter out;
  out.u32(stored.scale);
  out.varint(stored.columns);
  out.varint(stored.first);
  out.bytes(as_bytes(stored.stream));
  return std::string(as_text(out.view()));
}

// A first value of 12 and what so many raw bits 1 say.
std::string value_of_ones(unsigned ones) {
  RangeEncoder bits;
  for (unsigned model = 0; model < 12; ++model) {
    AdaptiveBit more(model == 0 ? 18138 : model == 1 ? 37747 : 42060);
    bits.bit(more, true);
  }
  bits.raw((1u << ones) - 1, ones);
  return std::string(as_text(bits.finish()));
}

std::string sound() {
  std::vector<int16_t> steps(64);
  steps[5] = 1;
  std::vector<std::byte> stored;
  encode_steps(steps, 0x1p-10f, {.columns = 8, .first = 3}, stored);
  return std::string(as_text(stored));
}

Regions with_stored(std::string stored) {
  Parts parts = lossy_sample();
  parts.index.chunks[kPlanesChunk].coder = kStepsCoder.id;
  parts.set_stored(kPlanesChunk, std::move(stored));
  return regions_of(parts);
}

Lie lie(std::string name, const Regions& regions, Seen seen, std::string_view error) {
  return {.name = "steps_" + std::move(name),
          .archive = seal(regions),
          .seen = seen,
          .error = std::string("damaged: ARCHIVE: ").append(error)};
}

Lie refused(std::string name, std::string stored, std::string_view why) {
  return lie(std::move(name), with_stored(std::move(stored)), Seen::kRebuilding,
             std::string("'a' in the SIZE bytes at OFFSET: steps: ").append(why));
}

Lie refused(std::string name, const std::function<void(Stored&)>& change, std::string_view why) {
  Stored stored;
  change(stored);
  return refused(std::move(name), bytes_of(stored), why);
}

// The sample without losses, so that a reader of format 1 is enough for all else.
Lie in_format_1() {
  Parts parts = sample_parts();
  parts.index.chunks[kPlanesChunk].coder = kStepsCoder.id;
  parts.set_stored(kPlanesChunk, sound());
  return lie("in_format_1", regions_of(parts), Seen::kOpening,
             "the archive's index can't be read: a coder is unknown");
}

}  // namespace

std::vector<Lie> steps_lies() {
  constexpr std::string_view kScale = "the scale is out of its range";
  constexpr std::string_view kColumns = "no columns, or more than values";
  const auto scale = [](uint32_t bits) { return [bits](Stored& stored) { stored.scale = bits; }; };
  const auto columns = [](uint64_t count) {
    return [count](Stored& stored) { stored.columns = count; };
  };
  return {
      in_format_1(),
      refused("scale_too_small", scale(0x0D7FFFFF), kScale),
      refused("scale_too_large", scale(0x5F800000), kScale),
      refused("scale_negative", scale(0xBA800000), kScale),
      refused("scale_nan", scale(0x7FC00000), kScale),
      refused("no_columns", columns(0), kColumns),
      refused("more_columns_than_values", columns(65), kColumns),
      refused("endless_columns", columns(~uint64_t{0}), kColumns),
      refused(
          "first_beyond", [](Stored& stored) { stored.first = 8; },
          "the first column is out of its range"),
      refused("head_cut", sound().substr(0, 5), "it ends too early"),
      refused(
          "no_stream", [](Stored& stored) { stored.stream.clear(); }, "cut short"),
      refused("bytes_behind", sound() + std::string("\0\0\0\0\1", 5), "bytes behind the end"),
      refused("last_byte_0", sound() + '\0', "bytes behind the end"),
      refused(
          "value_beyond", [](Stored& stored) { stored.stream = value_of_ones(30); },
          "a value is too large"),
      lie("other_content", with_stored(sound()), Seen::kRebuilding,
          "tensor 'a' does not come out as it was packed"),
  };
}

}  // namespace finedelta::corrupt
