// The tree that the symbols of one context are written with: spec.md, "Trees".
#ifndef FINEDELTA_CODER_WAVELET_TREE_H_
#define FINEDELTA_CODER_WAVELET_TREE_H_

#include <array>
#include <cstdint>

#include "coder/wavelet/table.h"

namespace finedelta::wavelet {

// How the bits of a node, of which ones are rarer than zeros, are written.
enum class NodeCode : uint8_t { kRaw, kCoded, kGaps };

struct Node {
  unsigned split = 0;    // symbols below go left
  unsigned skew = 0;     // how rare the rarer side is: kernels/nibble_rans.h
  bool flipped = false;  // going left is the rarer side, and written as 1
  int left = 0;          // the index of a node, or -1 - symbol
  int right = 0;

  [[nodiscard]] NodeCode code() const;
  [[nodiscard]] unsigned rice() const;  // of the gaps between ones
};

// In the order in which they are written: a node, all below it on the left, all on the right.
struct Tree {
  int root = 0;  // as Node::left
  std::array<Node, kMostSymbols> nodes;
};

[[nodiscard]] constexpr bool is_leaf(int child) { return child < 0; }
[[nodiscard]] constexpr uint8_t leaf_symbol(int child) { return static_cast<uint8_t>(-1 - child); }

// `table` has at least one weight over 0.
void build_tree(const Table& table, Tree& tree);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_TREE_H_
