#include "coder/wavelet/tree.h"

#include <algorithm>
#include <bit>

#include "kernels/nibble_rans.h"

namespace finedelta::wavelet {

namespace {

constexpr uint64_t kOne = uint64_t{1} << 20;  // of kSkewProbability

// Between two skews the boundary is the middle.
unsigned skew_of(uint64_t rarer, uint64_t all) {
  const auto beyond = [&](unsigned skew) {
    const uint64_t middle = (kSkewProbability[skew - 1] + uint64_t{kSkewProbability[skew]}) / 2;
    return rarer * kOne < middle * all;
  };
  unsigned low = 0;  // the last one that is known to be reached
  unsigned high = kSkews - 1;
  while (low < high) {
    const unsigned middle = (low + high + 1) / 2;
    if (beyond(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

class Builder {
 public:
  Builder(const Table& table, Tree& tree) : tree_(tree) {
    for (unsigned symbol = 0; symbol < table.size; ++symbol) {
      if (table.weight[symbol] == 0) continue;
      symbols_[count_] = symbol;
      sum_[count_ + 1] = sum_[count_] + table.weight[symbol];
      ++count_;
    }
  }

  void build() { tree_.root = add(0, count_); }

 private:
  // The tree of the symbols at places [begin, end).
  int add(unsigned begin, unsigned end) {
    if (end - begin == 1) return -1 - static_cast<int>(symbols_[begin]);
    const unsigned middle = split(begin, end);
    const int place = next_++;
    const uint64_t left = sum_[middle] - sum_[begin];
    const uint64_t right = sum_[end] - sum_[middle];
    Node& node = tree_.nodes[place];
    node.split = symbols_[middle];
    node.skew = skew_of(std::min(left, right), left + right);
    node.flipped = node.skew > 0 && left < right;
    node.left = add(begin, middle);
    node.right = add(middle, end);
    return place;
  }

  // Where the weights on both sides differ least; the lower of two such places.
  [[nodiscard]] unsigned split(unsigned begin, unsigned end) const {
    const uint64_t all = sum_[end] - sum_[begin];
    const auto twice_left = [&](unsigned place) { return 2 * (sum_[place] - sum_[begin]); };
    const auto* const from = sum_.begin() + begin + 1;
    const auto* const found = std::partition_point(
        from, sum_.begin() + end - 1, [&](uint64_t sum) { return 2 * (sum - sum_[begin]) < all; });
    auto place = static_cast<unsigned>(found - sum_.begin());
    if (place > begin + 1 && twice_left(place) >= all &&
        all - twice_left(place - 1) <= twice_left(place) - all) {
      --place;
    }
    return place;
  }

  Tree& tree_;
  unsigned count_ = 0;
  int next_ = 0;
  std::array<unsigned, kMostSymbols> symbols_{};
  std::array<uint64_t, kMostSymbols + 1> sum_{};
};

}  // namespace

NodeCode Node::code() const {
  if (skew == 0) return NodeCode::kRaw;
  return skew <= kMostCodedSkew ? NodeCode::kCoded : NodeCode::kGaps;
}

// Where gaps are geometric, a Rice parameter of log2(ln 2 / probability) is best.
unsigned Node::rice() const {
  constexpr uint64_t kLn2 = 726'817;  // in 2^-20
  return static_cast<unsigned>(std::bit_width(kLn2 / kSkewProbability[skew])) - 1;
}

void build_tree(const Table& table, Tree& tree) { Builder(table, tree).build(); }

}  // namespace finedelta::wavelet
