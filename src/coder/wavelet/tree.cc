#include "coder/wavelet/tree.h"

#include <algorithm>
#include <bit>

#include "kernels/nibble_rans.h"

namespace finedelta::wavelet {

namespace {

constexpr uint64_t kOne = uint64_t{1} << 20;  // of kSkewProbability

// Between two skews the boundary is the middle; behind the last one nothing is.
constexpr std::array<uint32_t, 64> make_boundaries() {
  std::array<uint32_t, 64> out{};
  for (unsigned skew = 1; skew < kSkews; ++skew) {
    out[skew] = (kSkewProbability[skew - 1] + kSkewProbability[skew]) / 2;
  }
  return out;
}
constexpr std::array<uint32_t, 64> kBoundaries = make_boundaries();

// Binary searches without branches: none could be foreseen.
unsigned skew_of(uint64_t rarer, uint64_t all) {
  unsigned reached = 0;
  for (unsigned step = 32; step > 0; step /= 2) {
    reached += rarer * kOne < kBoundaries[reached + step] * all ? step : 0;
  }
  return reached;
}

class Builder {
 public:
  Builder(const Table& table, Tree& tree) : tree_(tree) {
    uint64_t sum = 0;
    sum_[0] = 0;
    for (unsigned symbol = 0; symbol < table.size; ++symbol) {
      symbols_[count_] = static_cast<uint8_t>(symbol);
      sum += table.weight[symbol];
      count_ += table.weight[symbol] != 0 ? 1 : 0;
      sum_[count_] = sum;
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
    unsigned place = begin + 1;
    for (unsigned left = end - 1 - place; left > 0;) {
      const unsigned half = (left + 1) / 2;
      place += twice_left(place + half - 1) < all ? half : 0;
      left -= half;
    }
    if (place > begin + 1 && twice_left(place) >= all &&
        all - twice_left(place - 1) <= twice_left(place) - all) {
      --place;
    }
    return place;
  }

  Tree& tree_;
  unsigned count_ = 0;
  int next_ = 0;
  std::array<uint8_t, kMostSymbols> symbols_;   // that come
  std::array<uint64_t, kMostSymbols + 1> sum_;  // of the weights before each
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
