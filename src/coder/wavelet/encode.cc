#include <algorithm>
#include <array>
#include <bit>
#include <initializer_list>
#include <span>

#include "coder/wavelet/header.h"
#include "coder/wavelet/plan.h"
#include "coder/wavelet/scratch.h"
#include "coder/wavelet/table.h"
#include "coder/wavelet/tree.h"
#include "coder/wavelet/wavelet.h"
#include "kernels/count_symbols.h"
#include "kernels/nibble_rans.h"

namespace finedelta {

namespace {

using wavelet::Arena;
using wavelet::Histogram;
using wavelet::Node;
using wavelet::NodeCode;
using wavelet::Plan;
using wavelet::Scratch;
using wavelet::Tree;

// The bits of nodes that wait for rANS, which begins at the end.
class CodedBits {
 public:
  explicit CodedBits(Scratch& scratch) : bits_(scratch.coded), words_(scratch.words) {}

  // Room for so many bits behind those that were kept; valid until the next call.
  std::byte* room(size_t count) {
    const size_t bytes = (count + 63) / 64 * 8;
    if (bits_.size() < kept_ + bytes) bits_.resize((kept_ + bytes) * 2);
    return bits_.data() + kept_;
  }

  // Keeps what was put there.
  void keep(size_t count, unsigned skew) {
    runs_.push_back({.begin = kept_, .nibbles = (count + 3) / 4, .skew = skew});
    kept_ += (count + 63) / 64 * 8;
    nibbles_ += (count + 3) / 4;
  }

  // Each lane costs about a byte: so many that this is no more than about half a percent.
  [[nodiscard]] unsigned lanes() const {
    if (nibbles_ == 0) return 0;
    const auto lanes = static_cast<unsigned>(std::min<size_t>(nibbles_ / 256, kMostLanes));
    return lanes < 4 ? 1 : std::bit_floor(lanes);
  }

  // The states and words, valid until the next call. The states begin with the bits of `hidden`,
  // two bytes for each lane.
  struct Coded {
    RansStates rans;
    std::span<const uint16_t> words;
  };
  Coded code(Bytes hidden) {
    const unsigned lanes = this->lanes();
    Coded coded{.rans = {.lanes = lanes}, .words = {}};
    if (lanes == 0) return coded;
    for (unsigned i = 0; i < lanes; ++i) {
      coded.rans.state[i] = kRansLow + load<uint16_t>(hidden.data() + i * sizeof(uint16_t));
    }
    if (words_.size() < nibbles_) words_.resize(nibbles_);
    uint16_t* const end = words_.data() + words_.size();
    uint16_t* next = end;
    for (size_t i = runs_.size(); i-- > 0;) {
      const Run& run = runs_[i];
      next = encode_nibbles(coded.rans, run.skew, bits_.data() + run.begin, run.nibbles, next);
    }
    coded.words = {next, end};
    return coded;
  }

 private:
  struct Run {
    size_t begin = 0;
    size_t nibbles = 0;
    unsigned skew = 0;
  };
  std::vector<std::byte>& bits_;
  std::vector<uint16_t>& words_;
  std::vector<Run> runs_;
  size_t kept_ = 0;
  size_t nibbles_ = 0;
};

// Makes room once: each time that `stored` grew, all of it would be copied to memory that is new.
void append(std::initializer_list<Bytes> parts, std::vector<std::byte>& stored) {
  size_t size = stored.size();
  for (const Bytes part : parts) size += part.size();
  stored.reserve(size);
  for (const Bytes part : parts) stored.insert(stored.end(), part.begin(), part.end());
}

void invert(std::byte* bits, size_t count) {
  for (size_t i = 0; i < count; i += 64) {
    store(bits + i / 8, ~load<uint64_t>(bits + i / 8) & valid_bits(i, count));
  }
}

// The zeros before each one, and before the end.
void write_gaps(const std::byte* bits, size_t count, size_t ones, unsigned rice, BitWriter& out) {
  BitSink sink = out.sink((count >> rice) + (ones + 1) * (2 + rice));
  size_t next = 0;
  const auto put = [&](size_t place) {
    const size_t gap = place - next;
    sink.put_unary(gap >> rice);
    sink.put(gap & ((size_t{1} << rice) - 1), rice);
    next = place + 1;
  };
  for (size_t i = 0; i < count; i += 64) {
    for (auto word = load<uint64_t>(bits + i / 8); word != 0; word &= word - 1) {
      put(i + static_cast<size_t>(std::countr_zero(word)));
    }
  }
  put(count);
  out.give_back(sink);
}

// Takes the symbols of one context apart, node by node.
class StreamEncoder {
 public:
  StreamEncoder(BitWriter& bits, CodedBits& coded, Arena& arena)
      : bits_(bits), coded_(coded), arena_(arena) {}

  // `counts` are those of the symbols. False when the arena has no room, which a tree of these
  // counts does not let happen.
  bool encode(const Tree& tree, const Histogram::Row& counts, const uint8_t* symbols,
              size_t count) {
    tree_ = &tree;
    for (unsigned i = 0; i < wavelet::kMostSymbols; ++i) below_[i + 1] = below_[i] + counts[i];
    return wavelet::is_leaf(tree.root) ||
           encode_node(tree.root, 0, wavelet::kMostSymbols, symbols, count);
  }

 private:
  // A node whose symbols are from `first` to `end`.
  bool encode_node(int place, unsigned first, unsigned end, const uint8_t* symbols, size_t count) {
    const Node& node = tree_->nodes[place];
    const size_t mark = arena_.mark();
    const size_t lefts = below_[node.split] - below_[first];
    uint8_t* left = nullptr;
    uint8_t* right = nullptr;
    if (!take_child(node.left, lefts, left)) return false;
    if (!take_child(node.right, count - lefts, right)) return false;
    std::byte* const bits = coded_.room(count);
    if (left == nullptr && right == nullptr) {
      mark_symbols(symbols, count, static_cast<uint8_t>(node.split), bits);
    } else {
      split_symbols(symbols, count, static_cast<uint8_t>(node.split), left, right, bits);
    }
    if (node.flipped) invert(bits, count);
    write_bits(node, bits, count, node.flipped ? lefts : count - lefts);
    if (left != nullptr && !encode_node(node.left, first, node.split, left, lefts)) return false;
    if (right != nullptr && !encode_node(node.right, node.split, end, right, count - lefts)) {
      return false;
    }
    arena_.release(mark);
    return true;
  }

  bool take_child(int child, size_t count, uint8_t*& symbols) {
    if (wavelet::is_leaf(child)) return true;
    symbols = arena_.take_symbols(count);
    return symbols != nullptr;
  }

  void write_bits(const Node& node, const std::byte* bits, size_t count, size_t ones) {
    if (count == 0) return;
    switch (node.code()) {
      case NodeCode::kRaw:
        bits_.append(bits, count);
        break;
      case NodeCode::kGaps:
        write_gaps(bits, count, ones, node.rice(), bits_);
        break;
      case NodeCode::kCoded:
        coded_.keep(count, node.skew);
        break;
    }
  }

  BitWriter& bits_;
  CodedBits& coded_;
  Arena& arena_;
  const Tree* tree_ = nullptr;
  std::array<uint32_t, wavelet::kMostSymbols + 1> below_{};
};

class ChunkEncoder {
 public:
  ChunkEncoder(const Plan& plan, FloatLayout layout, const ChunkInput& chunk, Scratch& scratch)
      : model_(plan.model),
        limits_(plan.limits),
        layout_(layout),
        chunk_(chunk),
        scratch_(scratch),
        coded_(scratch),
        histogram_(scratch.histogram) {}

  // False when it can't be done.
  bool encode(std::vector<std::byte>& stored) {
    make_all_symbols();
    scratch_.bits.clear();
    scratch_.arena.reset(wavelet::arena_bytes(chunk_.units()));
    if (!write_streams()) return false;
    const size_t stream_bytes = (scratch_.bits.bits() + 7) / 8;
    scratch_.bits.append(scratch_.rest.finish().data(), scratch_.rest.bits());
    // As many of the last bytes as the states of rANS can begin with are hidden there. Only after
    // the streams: these must be read before the states are known.
    std::array<std::byte, sizeof(uint16_t) * kMostLanes> hidden{};
    const size_t hidden_bytes = sizeof(uint16_t) * coded_.lanes();
    const Bytes all = scratch_.bits.finish();
    const Bytes bits =
        all.first(std::max(all.size() - std::min(all.size(), hidden_bytes), stream_bytes));
    std::ranges::copy(all.subspan(bits.size()), hidden.begin());
    ByteWriter header;
    wavelet::write_header({.model = model_, .lanes = coded_.lanes(), .bit_bytes = bits.size()},
                          header);
    const CodedBits::Coded coded = coded_.code(hidden);
    append({header.view(), bits, std::as_bytes(std::span(coded.rans.state).first(coded_.lanes())),
            std::as_bytes(coded.words)},
           stored);
    return true;
  }

 private:
  void make_all_symbols() {
    const size_t units = chunk_.units();
    if (model_.kind == wavelet::SymbolKind::kLeading) {
      model_.symbol_top = find_symbol_top(model_, layout_, chunk_.value);
    }
    if (model_.contexts == 1) model_.context_bits = 0;
    wavelet::room_for(units + kSymbolSlack, scratch_.symbols);
    scratch_.rest.clear();
    make_symbols(model_, layout_, chunk_.value, chunk_.prediction, scratch_.symbols.data(),
                 scratch_.rest);
    sort_by_context();
  }

  void sort_by_context() {
    const size_t units = chunk_.units();
    uint8_t* const contexts = wavelet::room_for(units + kSymbolSlack, scratch_.contexts);
    if (model_.contexts > 1) {
      contexts_of(layout_.bits / 8, chunk_.prediction.data(), units,
                  model_.context_leading(layout_), contexts);
    }
    if (model_.class_log2 > 0) {
      wavelet::find_activities(scratch_.symbols.data(), units, scratch_.activities);
      wavelet::find_classes(scratch_.activities, limits_, scratch_.classes);
      wavelet::add_classes(scratch_.classes, model_.contexts, units, contexts);
    }
    streams_ = wavelet::sort_symbols(contexts, scratch_.symbols.data(), units, model_.streams(),
                                     scratch_.streams);
    histogram_.count(streams_, symbol_count(model_.kind, layout_), false);
  }

  bool write_stream(StreamEncoder& encoder, const Histogram::Row& row, const uint8_t* symbols,
                    size_t count) {
    if (count == 0) return true;
    wavelet::build_tree(wavelet::write_table(row, model_.precision, scratch_.bits), tree_);
    return encoder.encode(tree_, row, symbols, count);
  }

  bool write_streams() {
    StreamEncoder encoder(scratch_.bits, coded_, scratch_.arena);
    if (model_.class_log2 > 0) {
      Histogram::Row counts{};
      const size_t blocks = scratch_.activities.size();
      count_symbols(scratch_.classes.data(), blocks, counts.data());
      if (!write_stream(encoder, counts, scratch_.classes.data(), blocks)) return false;
    }
    for (unsigned k = 0; k < model_.streams(); ++k) {
      if (!write_stream(encoder, histogram_.row(k), streams_.symbols[k], streams_.count[k])) {
        return false;
      }
    }
    return true;
  }

  wavelet::Model model_;
  const wavelet::ClassLimits limits_;
  const FloatLayout layout_;
  const ChunkInput& chunk_;
  Scratch& scratch_;
  CodedBits coded_;
  Histogram& histogram_;
  wavelet::SortedStreams streams_;
  Tree tree_;
};

}  // namespace

std::optional<uint64_t> analyze_wavelet(const ChunkInput& chunk, CoderScratch& scratch) {
  const auto layout = float_layout(chunk.dtype);
  if (!layout) return std::nullopt;
  scratch.wavelet.plan = make_plan(*layout, chunk.value, chunk.prediction, chunk.estimated_units(),
                                   wavelet::effort_of(scratch.level), scratch.wavelet);
  return scratch.wavelet.plan.estimate;
}

void encode_wavelet(const ChunkInput& chunk, CoderScratch& scratch,
                    std::vector<std::byte>& stored) {
  const FloatLayout layout = *float_layout(chunk.dtype);
  ChunkEncoder encoder(scratch.wavelet.plan, layout, chunk, scratch.wavelet);
  if (!encoder.encode(stored)) stored.insert(stored.end(), chunk.value.begin(), chunk.value.end());
}

}  // namespace finedelta
