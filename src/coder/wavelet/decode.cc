#include <algorithm>
#include <array>

#include "base/error.h"
#include "coder/wavelet/header.h"
#include "coder/wavelet/scratch.h"
#include "coder/wavelet/table.h"
#include "coder/wavelet/tree.h"
#include "coder/wavelet/wavelet.h"
#include "kernels/merge_contexts.h"
#include "kernels/nibble_rans.h"

namespace finedelta {

namespace {

using wavelet::Arena;
using wavelet::Header;
using wavelet::Node;
using wavelet::NodeCode;
using wavelet::Scratch;
using wavelet::Table;
using wavelet::Tree;

// Behind the words, so that reading a little too far does no harm.
constexpr size_t kWordPadding = 32;

// The states and words of rANS.
class StoredBits {
 public:
  StoredBits(ByteReader& in, unsigned lanes, std::vector<uint16_t>& buffer) {
    rans_.lanes = lanes;
    for (unsigned i = 0; i < lanes; ++i) rans_.state[i] = in.u32();
    if (lanes == 0 ? in.remaining() != 0 : in.remaining() % 2 != 0) {
      in.reject("bytes are left behind its end");
    }
    const size_t count = in.remaining() / 2;
    if (buffer.size() < count + kWordPadding) buffer.resize(count + kWordPadding);
    const Bytes words = in.bytes(2 * count);
    if (in.ok() && count > 0) std::memcpy(buffer.data(), words.data(), words.size());
    std::fill_n(buffer.begin() + static_cast<ptrdiff_t>(count), kWordPadding, uint16_t{0});
    next_ = buffer.data();
    end_ = next_ + count;
  }

  // False when there are not so many.
  bool take(unsigned skew, size_t count, std::byte* bits) {
    if (rans_.lanes == 0) return false;
    next_ = decode_nibbles(rans_, skew, (count + 3) / 4, next_, end_, bits);
    return next_ <= end_;
  }

  // Hands out the bits that the states began with. False where something was not taken, or a state
  // does not end where it may have begun.
  bool release(BitReader& bits) const {
    std::array<uint16_t, kMostLanes> low;
    bool sound = next_ == end_;
    for (unsigned i = 0; i < rans_.lanes; ++i) {
      sound = sound && rans_.state[i] / kRansLow == 1;
      low[i] = static_cast<uint16_t>(rans_.state[i]);
    }
    bits.append(std::as_bytes(std::span(low).first(rans_.lanes)));
    return sound;
  }

 private:
  RansStates rans_;
  const uint16_t* next_ = nullptr;
  const uint16_t* end_ = nullptr;
};

// Takes the bits of nodes and puts the symbols together again.
class StreamDecoder {
 public:
  StreamDecoder(BitReader& bits, StoredBits& coded, Arena& arena)
      : bits_(bits), coded_(coded), arena_(arena) {}

  // Fills `symbols`, `count` of them, with a context's. False when the bits are none of them.
  bool decode(const Tree& tree, size_t count, uint8_t* symbols) {
    tree_ = &tree;
    if (wavelet::is_leaf(tree.root)) {
      std::fill_n(symbols, count, wavelet::leaf_symbol(tree.root));
      return true;
    }
    return decode_node(tree.nodes[tree.root], count, symbols);
  }

 private:
  bool decode_node(const Node& node, size_t count, uint8_t* symbols) {
    const size_t mark = arena_.mark();
    auto* const bits = reinterpret_cast<std::byte*>(arena_.take_bits(count));
    if (bits == nullptr || !take_bits(node, count, bits)) return false;
    size_t rights = count_bits(bits, count);
    if (node.flipped) rights = count - rights;
    Branch left;
    Branch right;
    if (!decode_child(node.left, count - rights, left)) return false;
    if (!decode_child(node.right, rights, right)) return false;
    join_symbols(bits, count, node.flipped ? right : left, node.flipped ? left : right, symbols);
    arena_.release(mark);
    return true;
  }

  bool decode_child(int child, size_t count, Branch& branch) {
    if (wavelet::is_leaf(child)) {
      branch.constant = wavelet::leaf_symbol(child);
      return true;
    }
    uint8_t* const symbols = arena_.take_symbols(count);
    branch.symbols = symbols;
    return symbols != nullptr && decode_node(tree_->nodes[child], count, symbols);
  }

  // Bits behind `count` are 0.
  bool take_bits(const Node& node, size_t count, std::byte* bits) {
    if (count == 0) return true;
    switch (node.code()) {
      case NodeCode::kRaw:
        bits_.take_all(bits, count);
        return bits_.ok();
      case NodeCode::kGaps:
        return take_gaps(node.rice(), count, bits);
      case NodeCode::kCoded:
        break;
    }
    if (!coded_.take(node.skew, count, bits)) return false;
    if (count % 64 != 0) {
      std::byte* const last = bits + count / 64 * 8;
      store(last, load<uint64_t>(last) & ((uint64_t{1} << count % 64) - 1));
    }
    return true;
  }

  // The zeros before each one, and before the end.
  bool take_gaps(unsigned rice, size_t count, std::byte* bits) {
    std::fill_n(bits, (count + 63) / 64 * 8, std::byte{0});
    BitReader reader = bits_;
    uint64_t place = 0;
    for (;; ++place) {
      place += reader.take_rice(rice);
      if (place >= count) break;
      bits[place / 8] |= std::byte{1} << place % 8;
    }
    bits_ = reader;
    return place == count && reader.ok();
  }

  BitReader& bits_;
  StoredBits& coded_;
  Arena& arena_;
  const Tree* tree_ = nullptr;
};

// Units whose symbols are put together at a time: what is between two steps stays in the
// first-level cache. Whole blocks.
constexpr size_t kStep = 4096;

// Puts the symbols of a chunk together.
class SymbolDecoder {
 public:
  SymbolDecoder(const wavelet::Model& model, FloatLayout layout, size_t units, BitReader& bits,
                StoredBits& coded, Scratch& scratch)
      : model_(model),
        layout_(layout),
        units_(units),
        bits_(bits),
        scratch_(scratch),
        streams_(bits, coded, scratch.arena) {}

  // False where they can't be had.
  bool decode(Bytes prediction) {
    wavelet::room_for(kStep + kSymbolSlack, scratch_.symbols);
    scratch_.arena.reset(wavelet::arena_bytes(units_));
    const unsigned symbols = symbol_count(model_.kind, layout_);
    uint8_t* place = wavelet::room_for(units_ + kMostStreams * kSymbolSlack, scratch_.streams);
    if (model_.class_log2 > 0 && !decode_classes()) return false;
    std::array<uint32_t, kMostStreams> counts{static_cast<uint32_t>(units_)};
    if (model_.streams() > 1) counts = sort_units(prediction);
    for (unsigned k = 0; k < model_.streams(); ++k) {
      next_[k] = place;
      if (!decode_stream(symbols, counts[k], place)) return false;
      place += counts[k] + kSymbolSlack;
    }
    return true;
  }

  // The symbols of `count` units from `first` on, each unit once and in order, kStep at a time.
  const uint8_t* take(size_t first, size_t count) {
    if (model_.streams() == 1) return next_[0] + first;
    merge_contexts(scratch_.map.data(), classes(), first, count, model_.contexts, next_.data(),
                   scratch_.symbols.data());
    return scratch_.symbols.data();
  }

 private:
  [[nodiscard]] const uint8_t* classes() const {
    return model_.class_log2 > 0 ? scratch_.classes.data() : nullptr;
  }

  bool decode_classes() {
    const size_t blocks = wavelet::block_count(units_);
    wavelet::room_for(blocks + kSymbolSlack, scratch_.classes);
    return decode_stream(model_.classes(), blocks, scratch_.classes.data());
  }

  // `symbols` are allowed, and `count` wanted.
  bool decode_stream(unsigned symbols, size_t count, uint8_t* to) {
    if (count == 0) return true;
    if (!wavelet::read_table(bits_, model_.precision, static_cast<uint32_t>(count), table_)) {
      return false;
    }
    if (table_.size > symbols) return false;
    wavelet::build_tree(table_, tree_);
    return streams_.decode(tree_, count, to);
  }

  // The map of all contexts, and how many units each stream has.
  std::array<uint32_t, kMostStreams> sort_units(Bytes prediction) {
    std::array<uint32_t, kMostStreams> counts{};
    wavelet::room_for(wavelet::block_count(units_) * context_map_words(model_.contexts) + 8,
                      scratch_.map);
    const LeadingBits bits = model_.context_leading(layout_);
    if (model_.contexts == 1) {
      // Any bytes are of the only context; there may be no prediction.
      wavelet::room_for(units_ * layout_.bits / 8, scratch_.coded);
      prediction = scratch_.coded;
    }
    context_map_of(layout_.bits / 8, prediction.data(), units_, bits, classes(),
                   scratch_.map.data(), counts.data());
    return counts;
  }

  const wavelet::Model& model_;
  const FloatLayout layout_;
  const size_t units_;
  BitReader& bits_;
  Scratch& scratch_;
  StreamDecoder streams_;
  std::array<const uint8_t*, kMostStreams> next_{};  // symbol of each stream
  Table table_;
  Tree tree_;
};

// Fills `value` from symbols that were decoded and the bits behind them.
bool apply_all(const wavelet::Model& model, FloatLayout layout, SymbolDecoder& symbols,
               Bytes prediction, BitReader& bits, MutableBytes value) {
  const size_t unit = layout.bits / 8;
  for (size_t first = 0; first * unit < value.size(); first += kStep) {
    const size_t begin = first * unit;
    const size_t size = std::min(kStep * unit, value.size() - begin);
    const Bytes predicted = prediction.empty() ? prediction : prediction.subspan(begin, size);
    if (!apply_symbols(model, layout, symbols.take(first, size / unit), predicted, bits,
                       value.subspan(begin, size))) {
      return false;
    }
  }
  return true;
}

std::unexpected<Error> damaged(std::string_view why) {
  return fail(ErrorCode::kDamaged, "a wavelet chunk can't be read: {}", why);
}

}  // namespace

Status decode_wavelet(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                      CoderScratch& coder_scratch) {
  const auto layout = float_layout(dtype);
  if (!layout) return damaged("its tensor is not of a floating-point type of up to 32 bits");
  Scratch& scratch = coder_scratch.wavelet;
  ByteReader in(stored);
  const Header header = wavelet::read_header(in, *layout);
  const bool needs_prediction =
      header.model.kind == wavelet::SymbolKind::kDifference || header.model.contexts > 1;
  if (needs_prediction && prediction.empty()) in.reject("it has no prediction");
  const Bytes bit_bytes = in.bytes(header.bit_bytes);
  StoredBits coded(in, header.lanes, scratch.words);
  if (!in.ok()) return damaged(in.why());
  const size_t in_states = sizeof(uint16_t) * header.lanes;
  BitReader bits(bit_bytes, scratch.bytes, in_states);
  const size_t units = value.size() / (layout->bits / 8);
  SymbolDecoder symbols(header.model, *layout, units, bits, coded, scratch);
  if (!symbols.decode(prediction) || !coded.release(bits) ||
      !apply_all(header.model, *layout, symbols, prediction, bits, value) ||
      !bits.at_end(8 + 8 * in_states)) {
    return damaged("its bits do not make symbols");
  }
  return {};
}

}  // namespace finedelta
