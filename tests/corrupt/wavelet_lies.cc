// Chunks of coder wavelet that break a rule of src/coder/wavelet/spec.md each.
#include <algorithm>

#include "base/bytes.h"
#include "coder/wavelet/wavelet.h"
#include "corrupt/lies.h"
#include "kernels/nibble_rans.h"

namespace finedelta::corrupt {

namespace {

// What stands for the 64 units of tensor "a", F32, predicted.
struct Stored {
  std::string head;  // the two bytes and the tops
  std::string bits;  // as they are read; zeros fill the last byte
  std::string tail;  // states and words
};

std::string bytes_of_bits(const std::string& bits) {
  std::string bytes((bits.size() + 7) / 8, '\0');
  for (size_t i = 0; i < bits.size(); ++i) {
    bytes[i / 8] = static_cast<char>(bytes[i / 8] | (bits[i] - '0') << i % 8);
  }
  return bytes;
}

std::string bytes_of(const Stored& stored) {
  ByteWriter out;
  out.bytes(as_bytes(stored.head));
  out.string(bytes_of_bits(stored.bits));
  out.bytes(as_bytes(stored.tail));
  return std::string(as_text(out.view()));
}

std::string ones(size_t count) { return std::string(count, '1') + '0'; }
std::string zeros(size_t count) { return std::string(count, '0'); }

// Differences, precision 1, one context; without rANS or with one lane of it.
const std::string kPlain("\x00\x00", 2);
const std::string kOneLane("\x20\x00", 2);
// Leading symbols with no bits of the mantissa.
const std::string kLeading("\x01\x00", 2);

// The tables' numbers have no bits behind their ones. The first level is as many steps from 2 as
// its number says, and symbols of level 15 do not come.
const std::string kNoLowBits = "00";
const std::string kAbsentFromTwo = ones(26);   // +13
const std::string kAbsentFromZero = ones(30);  // +15
const std::string kZeroFromTwo = ones(3);      // -2
const std::string kZeroFromAbsent = ones(29);  // -15

// One symbol is a tree of a leaf: nothing but its table is written.
const std::string kOnlyZeros = "00000000" + kNoLowBits + kZeroFromTwo;
const std::string kOnlyOnes =
    "10000000" + kNoLowBits + kAbsentFromTwo + kZeroFromAbsent;  // differences of -1
const std::string kOnlyTwos = "01000000" + kNoLowBits + kAbsentFromTwo + '0' + kZeroFromAbsent;
const std::string kOnlyLarge =
    "11111000" + kNoLowBits + kAbsentFromTwo + zeros(30) + kZeroFromAbsent;

// Symbols 0 and 1, equally often: a raw node. The same of 0 and 2, where 2 is of level 12 (its node
// is coded) or 14 (its node is written as gaps).
const std::string kRawNode = "100000000000";
const std::string kCodedNode = "01000000" + kNoLowBits + kZeroFromTwo + kAbsentFromZero + ones(5);
constexpr unsigned kSkew = 21;
const std::string kGapsNode = "01000000" + kNoLowBits + kZeroFromTwo + kAbsentFromZero + ones(1);

// The states and words of a node where every fourth bit is set.
std::string coded_node(unsigned lanes = 1) {
  std::byte bits[8];
  std::ranges::fill(bits, std::byte{0x11});
  uint16_t words[16];
  RansStates rans{.lanes = lanes};
  rans.state.fill(kRansLow);
  const uint16_t* next = encode_nibbles(rans, kSkew, bits, 16, words + 16);
  ByteWriter out;
  for (unsigned i = 0; i < lanes; ++i) out.u32(rans.state[i]);
  for (; next != words + 16; ++next) out.u16(*next);
  return std::string(as_text(out.view()));
}

const std::string kUntouchedState("\0\0\1\0", 4);
const std::string kHighState("\0\0\2\0", 4);
const std::string kLowState("\xff\xff\0\0", 4);

Parts parts_with(const Stored& stored) {
  Parts parts = sample_parts();
  parts.index.chunks[kPlanesChunk].coder = kWaveletCoder.id;
  parts.set_stored(kPlanesChunk, bytes_of(stored));
  return parts;
}

Lie lie(std::string name, const Parts& parts, std::string error) {
  return {.name = "wavelet_" + std::move(name),
          .archive = seal(regions_of(parts)),
          .seen = Seen::kRebuilding,
          .error = "damaged: ARCHIVE: " + std::move(error)};
}

// What is no lie: other differences.
Lie other(std::string name, const Stored& stored) {
  return lie(std::move(name), parts_with(stored), "tensor 'a' does not come out as it was packed");
}

std::string refusal(std::string_view tensor, std::string_view why) {
  return std::string(tensor)
      .append(" in the SIZE bytes at OFFSET: a wavelet chunk can't be read: ")
      .append(why);
}

Lie refused(std::string name, const Stored& stored, std::string_view why) {
  return lie(std::move(name), parts_with(stored), refusal("'a'", why));
}

Lie no_symbols(std::string name, const Stored& stored) {
  return refused(std::move(name), stored, "its bits do not make symbols");
}

// In place of tensor "d": 8 units of one byte, not predicted.
Lie of_bytes(std::string name, DType dtype, std::string stored, std::string_view why) {
  Parts parts = sample_parts();
  for (archive::File& file : parts.index.files) {
    for (archive::Tensor& tensor : file.tensors) {
      if (tensor.name == "d") tensor.dtype = dtype;
    }
  }
  parts.index.chunks[kRawChunk].coder = kWaveletCoder.id;
  parts.set_stored(kRawChunk, std::move(stored));
  return lie(std::move(name), parts, refusal("'d'", why));
}

constexpr std::string_view kNoType = "its tensor is not of a floating-point type of up to 32 bits";
constexpr std::string_view kEarly = "it ends too early";
constexpr std::string_view kBehind = "bytes are left behind its end";
constexpr std::string_view kTooHigh = "its symbols begin too high";
constexpr std::string_view kUnknownSymbols = "its symbols are of no known kind";
constexpr std::string_view kUnknownClasses = "its classes are of no known kind";
constexpr std::string_view kUnknownContexts = "its contexts are of no known kind";

std::vector<Lie> header_lies_of_chunks() {
  const auto head = [](const char* bytes, size_t size) {
    return Stored{.head = std::string(bytes, size), .bits = kOnlyZeros, .tail = {}};
  };
  return {
      of_bytes("of_integers", DType::kU8,
               bytes_of({.head = kPlain, .bits = kOnlyZeros, .tail = {}}), kNoType),
      of_bytes("not_predicted", DType::kF8E4M3,
               bytes_of({.head = kPlain, .bits = kOnlyZeros, .tail = {}}), "it has no prediction"),
      of_bytes("contexts_not_predicted", DType::kF8E4M3, std::string("\x01\x01\0\0\1\0", 6),
               "it has no prediction"),
      of_bytes("wide_symbols", DType::kF8E5M2, std::string("\x19\0\0\1\0", 5),
               "its symbols are wider than its numbers"),
      refused("precision", head("\x06\x00", 2), "its tables are too precise"),
      refused("difference_of_leading_bits", head("\x08\x00", 2), kUnknownSymbols),
      refused("context_bits_of_one_context", head("\x00\x10", 2), kUnknownContexts),
      refused("classes", head("\x00\xC7", 2), kUnknownClasses),
      refused("contexts_not_of_whole_classes", head("\x00\x42", 2), kUnknownClasses),
      refused("context_top", head("\x00\x01\x80\x02", 4), kTooHigh),
      refused("symbol_top", head("\x01\x00\x80\x02", 4), kTooHigh),
      refused("long_top", head("\x01\x00\x80\x00", 4), "a number is not in its shortest form"),
  };
}

std::vector<Lie> size_lies() {
  const std::string sound = bytes_of({.head = kPlain, .bits = kOnlyZeros, .tail = {}});
  const auto cut = [](std::string name, std::string stored, std::string_view why) {
    Parts parts = parts_with({});
    parts.set_stored(kPlanesChunk, std::move(stored));
    return lie(std::move(name), parts, refusal("'a'", why));
  };
  const std::string coded = coded_node();
  return {
      other("other_content", {.head = kPlain, .bits = kOnlyOnes, .tail = {}}),
      other("other_coded", {.head = kOneLane, .bits = kCodedNode, .tail = coded}),
      other("four_lanes",
            {.head = std::string("\x40\0", 2), .bits = kCodedNode, .tail = coded_node(4)}),
      other("sixteen_lanes",
            {.head = std::string("\x80\0", 2), .bits = kCodedNode, .tail = coded_node(16)}),
      other("more_lanes_than_nibbles",
            {.head = std::string("\xa0\0", 2), .bits = kCodedNode, .tail = coded_node(32)}),
      cut("first_byte_alone", "\x20", kEarly),
      cut("size_beyond", std::string("\0\0\7", 3) + sound.substr(3), kEarly),
      cut("bits_cut", sound.substr(0, sound.size() - 1), kEarly),
      cut("size_over_64_bits", std::string("\0\0", 2) + std::string(10, '\xff'),
          "a number is not in its shortest form"),
      refused("bytes_behind", {.head = kPlain, .bits = kOnlyZeros, .tail = "xy"}, kBehind),
      refused("states_cut", {.head = kOneLane, .bits = kCodedNode, .tail = coded.substr(0, 3)},
              kEarly),
      refused("half_a_word", {.head = kOneLane, .bits = kCodedNode, .tail = coded + 'x'}, kBehind),
      no_symbols("bits_behind", {.head = kPlain, .bits = kOnlyZeros + zeros(8), .tail = {}}),
      no_symbols("last_byte_not_zero", {.head = kPlain, .bits = kOnlyZeros + "01", .tail = {}}),
  };
}

std::vector<Lie> table_lies() {
  const auto table = [](std::string name, const std::string& bits) {
    return no_symbols(std::move(name), {.head = kPlain, .bits = bits, .tail = {}});
  };
  const std::string large = std::string("00") + kAbsentFromTwo;
  return {
      table("symbol_beyond", "11110001" + large + zeros(142) + kZeroFromAbsent),
      table("no_table", ""),
      table("table_cut", "00000001" + large),
      table("highest_does_not_come", "00000000" + kNoLowBits + kAbsentFromTwo),
      table("level_above", "10000000" + kNoLowBits + ones(28) + "1110"),
      table("level_below", "10000000" + kNoLowBits + ones(5) + "1110"),
      table("number_of_many_ones", "00000000" + kNoLowBits + ones(600)),
  };
}

std::vector<Lie> node_lies() {
  const std::string coded = coded_node();
  const auto plain = [](std::string name, const std::string& bits) {
    return no_symbols(std::move(name), {.head = kPlain, .bits = bits, .tail = {}});
  };
  const auto rans = [](std::string name, std::string tail) {
    return no_symbols(std::move(name),
                      {.head = kOneLane, .bits = kCodedNode, .tail = std::move(tail)});
  };
  const std::string last_word = coded.substr(coded.size() - 2);
  return {
      other("raw_node", {.head = kPlain, .bits = kRawNode + zeros(64), .tail = {}}),
      plain("raw_node_cut", kRawNode + zeros(50)),
      other("gaps", {.head = kPlain,
                     .bits = kGapsNode + "10"
                                         "000000",
                     .tail = {}}),
      plain("gap_beyond", kGapsNode + "10"
                                      "100000"),
      plain("giant_gap", kGapsNode + ones(1500)),
      plain("gaps_cut", kGapsNode),
      plain("no_lanes", kCodedNode),
      rans("words_cut", coded.substr(0, coded.size() - 2)),
      rans("word_behind", coded + "xy"),
      rans("other_word",
           coded.substr(0, coded.size() - 2) + static_cast<char>(last_word[0] ^ 1) + last_word[1]),
      rans("state_zero", std::string(4, '\0')),
      no_symbols("states_without_nodes",
                 {.head = kOneLane, .bits = kOnlyZeros, .tail = std::string("\1\0\1\0", 4)}),
      no_symbols("state_that_ends_high", {.head = kOneLane, .bits = kOnlyOnes, .tail = kHighState}),
      no_symbols("state_that_ends_low", {.head = kOneLane, .bits = kOnlyOnes, .tail = kLowState}),
      other("lanes_without_nodes", {.head = kOneLane, .bits = kOnlyOnes, .tail = kUntouchedState}),
  };
}

// The one block has a class. Of so short a stream, symbols of level 3 do not come.
std::vector<Lie> class_lies() {
  const std::string two_classes("\x00\x41", 2);
  const std::string class_one = "10000000" + kNoLowBits + ones(2) + ones(5);
  const std::string class_two = "01000000" + kNoLowBits + ones(2) + '0' + ones(5);
  const std::string four_classes_of_two_contexts("\x00\x87\xff\x01", 4);
  return {
      other("class", {.head = two_classes, .bits = class_one + kOnlyOnes, .tail = {}}),
      no_symbols("class_beyond", {.head = two_classes, .bits = class_two + kOnlyOnes, .tail = {}}),
      no_symbols("class_alone", {.head = two_classes, .bits = class_one, .tail = {}}),
      no_symbols("no_class", {.head = two_classes, .bits = kOnlyOnes, .tail = {}}),
      other("class_and_contexts",
            {.head = four_classes_of_two_contexts, .bits = class_two + kOnlyOnes, .tail = {}}),
  };
}

std::vector<Lie> completing_lies() {
  const std::string top_one = kLeading + '\1';
  const std::string top_zero = kLeading + '\0';
  const std::string large = kOnlyLarge + zeros(64 * 3);
  // All but the bits of the last bytes, of which the state can hide two.
  const auto but = [&](size_t bytes) {
    return Stored{.head = kOneLane,
                  .bits = large.substr(0, ((large.size() + 7) / 8 - bytes) * 8),
                  .tail = kUntouchedState};
  };
  return {
      other("large_hidden", but(2)),
      no_symbols("large_hidden_cut", but(3)),
      other("large", {.head = kPlain, .bits = kOnlyLarge + zeros(64 * 3), .tail = {}}),
      no_symbols("large_cut", {.head = kPlain, .bits = kOnlyLarge + zeros(63 * 3), .tail = {}}),
      other("below_top", {.head = top_one, .bits = kOnlyTwos + zeros(64 * 23), .tail = {}}),
      no_symbols("over_the_top",
                 {.head = top_zero, .bits = kOnlyTwos + zeros(64 * 23), .tail = {}}),
      no_symbols("below_top_cut",
                 {.head = top_one, .bits = kOnlyTwos + zeros(63 * 23), .tail = {}}),
  };
}

}  // namespace

std::vector<Lie> wavelet_lies() {
  std::vector<Lie> lies;
  for (auto* group :
       {header_lies_of_chunks, size_lies, table_lies, node_lies, class_lies, completing_lies}) {
    for (Lie& made : group()) lies.push_back(std::move(made));
  }
  return lies;
}

}  // namespace finedelta::corrupt
